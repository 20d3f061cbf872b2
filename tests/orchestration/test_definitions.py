"""What Dagster shows is what the project promises: names, groups, crons, partitions."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from dagster import (
    AssetKey,
    AssetRecordsFilter,
    BackfillPolicy,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    TableRecord,
    build_schedule_context,
    in_process_executor,
    op,
)
from dagster import job as dagster_job
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run
from dbt.cli.main import dbtRunner

from orchestration import dbt_runner
from orchestration.definitions import build_definitions
from orchestration.defs import landing as landing_assets
from orchestration.defs.dbt_assets import (
    ValuationConfig,
    refuse_part_of_a_version,
    restatement_reason,
    with_all_tests_attached,
)
from orchestration.defs.landing import ARRIVALS, LOADS, raw_key, shown
from orchestration.defs.partitions import arrival_days, first_day_offered, quarters
from orchestration.defs.schedules import missed_quarters
from orchestration.defs.sensors import _landed_all, look_for_files
from orchestration.defs.upkeep import build_upkeep_jobs
from orchestration.errors import IntentMapError
from orchestration.landing import SOURCES, SourceLanding
from orchestration.quarters import first_day_of_quarter, next_quarter
from orchestration.settings import PROJECT_ROOT, Settings

pytest_plugins = ["stub_project"]

FLOORS = {"seeds", "staging", "intermediate", "valuation", "marts"}

# a name that changes here changes for everybody who reads, links or schedules it
LISTING = """
job apply_retention
job backfill
job erase_user
job health_checks
job nightly_refresh
job publish_marts
job quarterly_value_recalculation
job rebuild_history
landing landing/arrivals
landing raw/ad_spend
landing raw/changes_seen
landing raw/ga4_events
landing raw/generic_events
landing raw/loads
landing raw/orders
landing raw/removals
landing raw/segment_events
landing raw/session_changes
landing raw/snowplow_events
landing raw/tested
landing raw/watermarks
marts marts/mart_attribution
marts marts/mart_bidding_targets
marts marts/mart_campaign_returns
marts marts/mart_conversion_probabilities
marts marts/mart_daily_funnels
marts marts/mart_daily_values
marts marts/mart_delay_curve
marts marts/mart_early_warnings
marts marts/mart_event_audit
marts marts/mart_funnel_leaks
marts marts/mart_funnel_steps
marts marts/mart_macro_conversions
marts marts/mart_micro_conversion_health
marts marts/mart_micro_conversions
marts marts/mart_micro_customer_values
marts marts/mart_micro_values
marts marts/mart_sessions
marts marts/mart_time_to_conversion
marts marts/mart_value_backtest
marts marts/mart_value_backtest_summary
marts marts/mart_value_changes
marts marts/mart_value_history
published dashboard
published published_marts
schedule apply_retention_at_5: 0 5 1 * * UTC
schedule health_checks_at_8: 0 8 * * * UTC
schedule nightly_refresh_at_3: 0 3 * * * UTC
schedule quarterly_value_recalculation_at_4: 0 4 1 1,4,7,10 * UTC
sensor new_files
sensor release_dead_runs
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Manifest and definitions of the real project."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, seeds=PROJECT_ROOT / "seeds")
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    manifest = dbt_runner.load_manifest(settings)
    return settings, manifest, build_definitions(settings, manifest)


@pytest.fixture(scope="module")
def specs(real):
    return {spec.key: spec for spec in real[2].resolve_all_asset_specs()}


def test_public_names_groups_and_crons_are_these(real, specs):
    definitions = real[2]
    lines = [f"job {job.name}" for job in definitions.jobs]
    lines += [
        f"schedule {one.name}: {one.cron_schedule} {one.execution_timezone}"
        for one in definitions.schedules
    ]
    lines += [f"sensor {one.name}" for one in definitions.sensors]
    lines += [
        f"{spec.group_name} {key.to_user_string()}"
        for key, spec in specs.items()
        if spec.group_name in ("landing", "marts", "published")
    ]
    assert sorted(lines) == LISTING.strip().splitlines()


def test_the_group_of_a_model_is_its_floor_and_the_beginning_of_its_key(real, specs):
    nodes = real[1]["nodes"].values()
    for node in nodes:
        if node["resource_type"] in ("model", "seed"):
            assert node["schema"] in FLOORS
            assert specs[AssetKey([node["schema"], node["name"]])].group_name == node["schema"]


def test_raw_tables_in_the_graph_are_the_ones_that_landing_fills(specs):
    staging = [spec for spec in specs.values() if spec.group_name == "staging"]
    assert staging
    for spec in staging:
        raw = [dep.asset_key for dep in spec.deps if dep.asset_key.path[0] == "raw"]
        assert raw
        assert all(specs[key].group_name == "landing" for key in raw)


def test_every_asset_says_what_it_is(specs):
    assert [key for key, spec in specs.items() if not spec.description] == []


def test_publishing_waits_for_every_mart(specs):
    marts = {key for key, spec in specs.items() if spec.group_name == "marts"}
    assert {dep.asset_key for dep in specs[AssetKey("published_marts")].deps} == marts


def test_the_page_is_written_behind_what_it_shows(specs):
    upstream = {dep.asset_key for dep in specs[AssetKey("dashboard")].deps}
    assert upstream == {AssetKey("published_marts")}


def test_everything_that_writes_the_warehouse_is_in_the_writer_pool(real):
    definitions = real[2]
    for job in definitions.jobs:
        for step in definitions.resolve_job_def(job.name).graph.node_defs:
            assert step.pool == "duckdb_writer", step.name
            # Dagster's own policy would also try again what was stopped on purpose
            assert step.retry_policy is None, step.name


def test_every_data_test_of_a_table_is_an_asset_check(real):
    manifest, definitions = real[1], real[2]
    checks = {
        key.name for asset in definitions.assets if hasattr(asset, "check_keys")
        for key in asset.check_keys
    }  # fmt: skip
    tests = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and any(parent in manifest["nodes"] for parent in node["depends_on"]["nodes"])
    }
    assert tests - checks == set()


def test_dbts_log_has_what_ran_and_all_else_only_where_it_is_asked_for(real, monkeypatch):
    settings = real[0]
    log = settings.dbt_log_path / "dbt.log"
    said = log.read_text(encoding="utf-8")
    assert "[info ]" in said
    assert "[debug]" not in said
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    for _ in dbt_runner.run_dbt(settings, dbt_runner.parse_args(settings)):
        pass
    assert "[debug]" in log.read_text(encoding="utf-8").removeprefix(said)


def test_dbt_chooses_by_tag_what_the_steps_of_a_clock_choose_by_name(real):
    settings, manifest, definitions = real
    day = date(2026, 7, 1)
    of_names = dbt_runner.clocks(manifest)
    for clock, step in (("nightly", "nightly_models"), ("quarterly", "quarterly_models")):
        names = [name for name, of in of_names.items() if of == clock]
        step_names = {
            of.metadata["dagster_dbt/unique_id"]
            for asset in definitions.assets
            if hasattr(asset, "op") and asset.op.name == step
            for of in (*asset.specs, *asset.check_specs)
        }
        assert step_names == {
            unique_id for unique_id, node in manifest["nodes"].items() if node["name"] in names
        }
        args = (
            dbt_runner.nightly_args(settings, names, among=of_names)
            if clock == "nightly"
            else dbt_runner.quarterly_args(settings, day, names, among=of_names)
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in dbt_runner.environment(settings).items():
                patch.setenv(name, value)
            kinds = [f"--resource-type={kind}" for kind in ("model", "seed", "test")]
            listed = dbtRunner().invoke(["list", *args[1:], *kinds, "--output", "name"])
        assert sorted(listed.result) == sorted(names), clock


def test_a_reason_without_a_restatement_is_not_passed_over():
    assert restatement_reason(ValuationConfig()) is None
    assert restatement_reason(ValuationConfig(restate=True, why="twice")) == "twice"
    # refused behind this by who checks reasons
    assert restatement_reason(ValuationConfig(restate=True)) == ""
    with pytest.raises(IntentMapError, match="set restate beside it"):
        restatement_reason(ValuationConfig(why="twice"))


def test_a_version_is_written_with_all_that_it_is_computed_from_or_not_at_all(real):
    manifest = real[1]
    quarterly = {
        node["name"]: node["config"].get("full_refresh") is False
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "quarterly" in node["config"]["tags"]
    }
    refuse_part_of_a_version(manifest, quarterly)
    refuse_part_of_a_version(manifest, [name for name, is_kept in quarterly.items() if not is_kept])
    # what is computed from a version needs nothing of it
    refuse_part_of_a_version(manifest, ["mart_micro_values", "int_sessions"])
    with pytest.raises(IntentMapError, match="choose val_bot_sessions, val_customer_values, "):
        refuse_part_of_a_version(manifest, [name for name, is_kept in quarterly.items() if is_kept])
    with pytest.raises(IntentMapError, match="choose val_trials too, or run quarterly_value_"):
        refuse_part_of_a_version(manifest, quarterly.keys() - {"val_trials"})


def test_a_version_refused_for_a_step_in_parts_says_what_to_leave_out(real):
    # all of the group in the UI: Dagster parts the step, and each part has its own names alone
    with pytest.raises(IntentMapError) as refused:
        refuse_part_of_a_version(real[1], ["val_version_values"])
    said = str(refused.value)
    assert "Where they were chosen, leave out tables of the nightly clock" in said
    # the one it names is of that clock indeed
    named = re.search(r"such as (\w+):", said)[1]
    node = next(node for node in real[1]["nodes"].values() if node["name"] == named)
    assert node["schema"] == "valuation"
    assert not dbt_runner.is_quarterly(node)


def test_the_valuation_reads_no_raw_event(real):
    """Its cost follows sessions and conversions; of raw tables it asks the orders alone, and of
    events those of the longest session before its date (val_bot_sessions)."""
    nodes = real[1]["nodes"]
    read = {
        parent.split(".")[-1]
        for node in nodes.values()
        if "quarterly" in node["tags"] and node["resource_type"] == "model"
        for parent in node["depends_on"]["nodes"]
    }
    assert {"int_all_sessions", "int_micro_conversions"} <= read
    assert {name for name in read if name.startswith("stg_")} == {"stg_orders__orders"}
    assert not read & {"int_events", "int_staged_events", "int_event_receipts"}


def test_only_the_quarterly_job_has_the_quarterly_models(real):
    definitions = real[2]
    steps = {
        job.name: {step.name for step in definitions.resolve_job_def(job.name).graph.node_defs}
        for job in definitions.jobs
    }
    nightly = {"landing", "nightly_models", "published_marts", "dashboard", "health"}
    assert steps["nightly_refresh"] == steps["backfill"] == nightly
    assert steps["quarterly_value_recalculation"] == nightly | {"quarterly_models"}
    assert steps["rebuild_history"] == nightly | {"quarterly_models"}
    assert steps["publish_marts"] == {"published_marts", "dashboard", "health"}
    assert steps["health_checks"] == {"health"}


def test_health_is_looked_at_once_in_a_run(real):
    for job in real[2].jobs:
        # these two take rows out, and what is left to look at is what was there before
        if job.name in ("apply_retention", "erase_user"):
            continue
        nodes = real[2].resolve_job_def(job.name).nodes
        assert sum(node.definition.name == "health" for node in nodes) == 1, job.name


def test_only_a_backfill_asks_for_days_of_arrival(real):
    kinds = {
        job.name: type(real[2].resolve_job_def(job.name).partitions_def).__name__
        for job in real[2].jobs
    }
    assert kinds == {
        "backfill": "DailyPartitionsDefinition",
        "quarterly_value_recalculation": "TimeWindowPartitionsDefinition",
        "rebuild_history": "TimeWindowPartitionsDefinition",
        "nightly_refresh": "NoneType",
        "publish_marts": "NoneType",
        "health_checks": "NoneType",
        "apply_retention": "NoneType",
        "erase_user": "NoneType",
    }


def test_many_partitions_are_one_run(real):
    for asset in real[2].assets:
        if getattr(asset, "partitions_def", None) is not None:
            assert asset.backfill_policy == BackfillPolicy.single_run(), asset.op.name


def test_an_asset_says_who_is_asked_and_what_kind_it_is(specs):
    assert [key for key, spec in specs.items() if not spec.owners or not spec.kinds] == []


def test_the_day_that_is_going_on_can_be_landed():
    partitions = arrival_days(date(2026, 6, 28), "Europe/Prague")
    # still 30 June in UTC, already 1 July in Prague
    now = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    assert partitions.get_partition_keys(current_time=now)[-2:] == ["2026-06-30", "2026-07-01"]


@pytest.mark.parametrize(
    ("project_start", "offered", "first"),
    [
        ("2015-01-01", 400, "2025-05-01"),
        ("2015-01-01", 1, "2026-06-01"),
        # a shop younger than that begins with itself
        ("2026-02-10", 400, "2026-02-10"),
        ("2025-05-26", 400, "2025-05-26"),
        ("2025-05-27", 400, "2025-05-27"),
        ("2015-01-01", 36_500, "2015-01-01"),
    ],
)
def test_days_of_arrival_begin_a_year_back_or_with_the_shop(project_start, offered, first):
    project_start, today = date.fromisoformat(project_start), date(2026, 6, 30)
    assert first_day_offered(project_start, today, offered) == date.fromisoformat(first)


def test_a_fresh_clone_offers_no_thousands_of_empty_days_but_takes_an_old_one(real):
    settings, manifest, definitions = real

    def first_of(these):
        (landing,) = [one for one in these.assets if getattr(one, "op", None)
                      and one.op.name == "landing"]  # fmt: skip
        return date.fromisoformat(landing.partitions_def.get_first_partition_key())

    assert 400 <= (datetime.now(UTC).date() - first_of(definitions)).days <= 431
    old = date(2019, 2, 3)
    assert first_of(build_definitions(settings, manifest, arrived_since=old)) == old


def test_a_day_whose_landing_ended_before_it_was_marked_is_marked_by_the_next(
    real, tmp_path, monkeypatch
):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    job = build_definitions(settings, real[1]).resolve_implicit_global_asset_job_def()
    today = datetime.now(UTC).date()
    gone, ended, marked = (today - timedelta(days) for days in (900, 3, 2))

    def land_a_file_of(day, instance):
        file = settings.landing / "generic" / f"{day}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"visitor_id,occurred_at,event_name\nv,{day} 10:00:00,page_view\n")
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        os.utime(file, (noon, noon))
        keys = [*map(raw_key, SOURCES), LOADS]
        return job.execute_in_process(
            instance=instance, asset_selection=keys, raise_on_error=False
        ).success

    def end(*_):
        raise RuntimeError("ended here")

    with DagsterInstance.ephemeral() as instance:
        with monkeypatch.context() as patch:
            patch.setattr(landing_assets, "_days_marked", end)
            for day in (gone, ended):
                assert not land_a_file_of(day, instance)
        assert instance.get_materialized_partitions(ARRIVALS) == set()
        assert land_a_file_of(marked, instance)
        days = {str(ended), str(marked), str(today)}
        # none that is not on offer
        assert instance.get_materialized_partitions(ARRIVALS) == days
        (event,) = instance.fetch_materializations(
            AssetRecordsFilter(ARRIVALS, asset_partitions=[str(ended)]), limit=9
        ).records
        shown = event.asset_materialization.metadata
        assert (shown["files"].value, shown["rows"].value) == (1, 1)


def test_a_run_to_which_nothing_came_leaves_the_mark_of_the_day_that_is_going_on(real, tmp_path):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    job = build_definitions(settings, real[1]).resolve_implicit_global_asset_job_def()
    file = settings.landing / "generic" / "a.csv"
    with DagsterInstance.ephemeral() as instance:
        for files in (0, 1, 1, 1):
            if files and not file.exists():
                file.write_text("visitor_id,occurred_at,event_name\nv,2026-01-05,page_view\n")
            keys = [*map(raw_key, SOURCES), LOADS]
            assert job.execute_in_process(instance=instance, asset_selection=keys).success
            newest = instance.get_latest_materialization_event(ARRIVALS).asset_materialization
            assert newest.metadata["files"].value == files


def test_an_erasure_that_would_build_by_a_wrong_business_file_is_refused(tmp_path):
    seeds = shutil.copytree(PROJECT_ROOT / "seeds", tmp_path / "seeds")
    (seeds / "micro_conversions.csv").unlink()
    ids = tmp_path / "ids"
    ids.write_text("visitor-0001\n")
    settings = Settings(home=tmp_path / "home", seeds=seeds)
    (erase, _) = build_upkeep_jobs(settings)
    result = erase.execute_in_process(
        run_config={"ops": {"erase": {"config": {"file": str(ids)}}}}, raise_on_error=False
    )
    said = result.failure_data_for_node("erase").user_failure_data.description
    assert "micro_conversions.csv" in said
    assert not settings.home.exists()


def test_a_singular_test_belongs_to_the_table_its_name_begins_with():
    nodes = {
        "model.a": {"name": "mart_a", "resource_type": "model", "schema": "marts"},
        "model.b": {"name": "mart_b", "resource_type": "model", "schema": "marts"},
        "test.one": {
            "name": "mart_a__equals_b",
            "resource_type": "test",
            "depends_on": {"nodes": ["model.b", "model.a"]},
        },
        "test.two": {
            "name": "nothing_is_lost",
            "resource_type": "test",
            "depends_on": {"nodes": ["model.a", "model.b"]},
        },
    }
    attached = with_all_tests_attached({"nodes": nodes})["nodes"]
    assert attached["test.one"]["attached_node"] == "model.a"
    assert attached["test.two"]["attached_node"] == "model.b"
    assert "attached_node" not in nodes["test.one"]


def test_a_quarter_can_run_from_its_own_first_day_on():
    partitions = quarters(date(2026, 2, 10), "Europe/Prague")
    # still 30 June in UTC, already 1 July in Prague
    now = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    assert partitions.get_partition_keys(current_time=now) == [
        "2026-01-01",
        "2026-04-01",
        "2026-07-01",
    ]


def test_the_first_day_of_a_quarter_is_found_across_the_year():
    assert first_day_of_quarter(date(2026, 12, 31)) == date(2026, 10, 1)
    assert first_day_of_quarter(date(2026, 4, 1)) == date(2026, 4, 1)
    assert next_quarter(date(2026, 10, 1)) == date(2027, 1, 1)
    assert next_quarter(date(2026, 1, 1)) == date(2026, 4, 1)


def test_an_unknown_time_zone_is_named():
    with pytest.raises(IntentMapError, match="reporting_time_zone is 'Europe/Nowhere'"):
        quarters(date(2026, 1, 1), "Europe/Nowhere")


@pytest.fixture(scope="module")
def stub(real, lasting_project):
    """Definitions of a project whose reporting time zone is Europe/Prague."""
    settings = lasting_project.settings()
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    return build_definitions(settings, dbt_runner.load_manifest(settings))


def test_schedules_follow_the_reporting_time_zone_and_are_on(stub):
    for schedule in stub.schedules:
        assert schedule.execution_timezone == "Europe/Prague"
        assert schedule.default_status.value == "RUNNING"


def test_the_quarterly_schedule_asks_for_the_version_valid_from_that_day(stub):
    repository = stub.get_repository_def()
    schedule = repository.get_schedule_def("quarterly_value_recalculation_at_4")
    # 04:00 on 1 July in Prague
    tick = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(
            instance=instance, scheduled_execution_time=tick, repository_def=repository
        )
        requests = schedule.evaluate_tick(context).run_requests
    assert [request.partition_key for request in requests] == ["2026-07-01"]


def _serve_versions(settings, *days):
    settings.serving.mkdir(parents=True, exist_ok=True)
    served = settings.serving / "intent_map.duckdb"
    served.unlink(missing_ok=True)
    with duckdb.connect(str(served)) as con:
        con.execute("create schema marts")
        con.execute("create table marts.mart_micro_values (value_version varchar, valid_from date)")
        for day in days:
            con.execute("insert into marts.mart_micro_values values (?, ?)", [str(day), day])
        con.execute("insert into marts.mart_micro_values values ('(weights)', '1970-01-01')")


def test_after_downtime_every_missed_quarter_gets_its_version(tmp_path):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    day = date(2026, 10, 1)
    # nothing published, or nothing but weights: only the quarter of the tick
    assert missed_quarters(settings, day) == [day]
    _serve_versions(settings)
    assert missed_quarters(settings, day) == [day]
    _serve_versions(settings, date(2025, 7, 1), date(2026, 1, 1))
    assert missed_quarters(settings, day) == [
        date(2025, 10, 1), date(2026, 4, 1), date(2026, 7, 1), day
    ]  # fmt: skip
    (settings.serving / "intent_map.duckdb").write_bytes(b"broken")
    assert missed_quarters(settings, day) == [day]


@pytest.fixture
def landing(tmp_path):
    settings = Settings(home=tmp_path / "home", seeds=PROJECT_ROOT / "seeds")
    (settings.landing / "generic").mkdir(parents=True)
    return settings


def _look(settings, instance, seen=0, later=1000.0):
    result = look_for_files(settings, instance, seen, time.time() + later)
    reason = result.skip_reason.skip_message if result.skip_reason else None
    return len(result.run_requests or []), int(result.cursor), reason


def test_files_start_one_run_when_they_have_been_still(landing):
    with DagsterInstance.ephemeral() as instance:
        assert _look(landing, instance) == (0, 0, "Nothing new.")
        file = landing.landing / "generic" / "a.csv"
        file.write_text("x")
        assert _look(landing, instance, later=60) == (0, 0, "Files are still coming.")
        runs, seen, _ = _look(landing, instance)
        assert (runs, seen > 0) == (1, True)
        # the same files do not start a second run, a removed one neither
        assert _look(landing, instance, seen) == (0, seen, "Nothing new.")
        (landing.landing / "generic" / "b.csv.part").write_text("x")
        assert _look(landing, instance, seen) == (0, seen, "Nothing new.")
        file.unlink()
        assert _look(landing, instance, seen) == (0, seen, "Nothing new.")


def test_a_file_that_kept_its_old_time_is_new_all_the_same(landing):
    elsewhere = landing.home / "old.csv"
    elsewhere.write_text("x")
    with DagsterInstance.ephemeral() as instance:
        (landing.landing / "generic" / "a.csv").write_text("x")
        seen = _look(landing, instance)[1]
        time.sleep(0.05)
        os.utime(elsewhere, (1, 1))
        elsewhere.rename(landing.landing / "generic" / "old.csv")
        assert _look(landing, instance, seen)[0] == 1


def test_a_time_in_the_future_keeps_no_file_waiting(landing):
    file = landing.landing / "generic" / "a.csv"
    file.write_text("x")
    os.utime(file, (time.time() + 10**7, time.time() + 10**7))
    with DagsterInstance.ephemeral() as instance:
        runs, seen, _ = _look(landing, instance)
        assert runs == 1
        (landing.landing / "generic" / "b.csv").write_text("x")
        assert _look(landing, instance, seen)[0] == 1


def test_a_folder_or_a_link_that_is_put_in_place_is_new_though_its_files_are_old(landing):
    # a link into the home is none to a file
    elsewhere = landing.home.parent / "2026-11-30"
    elsewhere.mkdir()
    (elsewhere / "a.csv").write_text("x")
    time.sleep(0.05)
    generic = landing.landing / "generic"
    with DagsterInstance.ephemeral() as instance:
        (generic / "b.csv").write_text("x")
        seen = _look(landing, instance)[1]
        for put in (
            lambda: (generic / "linked.csv").symlink_to(elsewhere / "a.csv"),
            lambda: (generic / "linked").symlink_to(elsewhere),
            lambda: elsewhere.rename(generic / "moved"),
        ):
            time.sleep(0.05)
            put()
            runs, seen, _ = _look(landing, instance, seen)
            assert runs == 1
            assert _look(landing, instance, seen) == (0, seen, "Nothing new.")
        # a file that leaves its folder is nothing new
        time.sleep(0.05)
        (generic / "moved" / "b.csv").write_text("x")
        seen = _look(landing, instance, seen)[1]
        time.sleep(0.05)
        (generic / "moved" / "a.csv").unlink()
        assert _look(landing, instance, seen) == (0, seen, "Nothing new.")


@op
def _nothing():
    pass


@op(name="landing")
def _landing():
    pass


@dagster_job(name="nightly_refresh", executor_def=in_process_executor)
def _night():
    _landing()
    _nothing()


def test_no_run_starts_beside_another_or_for_what_the_last_one_landed(landing):
    (landing.landing / "generic" / "a.csv").write_text("x")
    with DagsterInstance.ephemeral() as instance:
        going_on = instance.create_run_for_job(_night, status=DagsterRunStatus.STARTED)
        assert _look(landing, instance) == (0, 0, "A run is going on.")
        instance.delete_run(going_on.run_id)
        # what is left of a run whose partition Dagster could not read when it was to be queued
        instance.create_run_for_job(_night, status=DagsterRunStatus.NOT_STARTED)
        assert _look(landing, instance)[0] == 1
        time.sleep(0.05)
        _night.execute_in_process(instance=instance)
        runs, seen, reason = _look(landing, instance)
        assert (runs, reason) == (0, "What lies there was landed by the last run.")
        assert _look(landing, instance, seen) == (0, seen, "Nothing new.")


def test_a_run_without_landing_is_not_taken_for_the_one_that_landed_a_file(landing):
    (landing.landing / "generic" / "a.csv").write_text("x")
    time.sleep(0.05)
    with DagsterInstance.ephemeral() as instance:
        # as a night goes on from the failure of a step behind it
        rest = create_execution_plan(_night, step_keys_to_execute=["_nothing"])
        run = instance.create_run_for_job(_night, execution_plan=rest)
        assert execute_run(InMemoryJob(_night), run, instance).success
        assert _look(landing, instance)[0] == 1
        _night.execute_in_process(instance=instance)
        run = instance.create_run_for_job(_night, execution_plan=rest)
        assert execute_run(InMemoryJob(_night), run, instance).success
        assert _look(landing, instance)[2] == "What lies there was landed by the last run."


@pytest.mark.parametrize(
    ("chosen", "landed"),
    [
        (None, True),
        ({*map(raw_key, SOURCES), AssetKey("published_marts")}, True),
        ({raw_key("generic")}, False),
        ({AssetKey("published_marts")}, False),
    ],
)
def test_a_run_of_chosen_tables_landed_all_only_with_every_source_among_them(chosen, landed):
    run = DagsterRun("nightly_refresh", asset_selection=chosen and frozenset(chosen))
    assert _landed_all(run) == landed


def test_the_name_of_a_file_that_was_left_out_is_no_markup():
    said = shown(SourceLanding("generic", set_aside=[("*a*_[b](c).csv", "it is `empty`")]))
    assert said["files left out"].records == [
        TableRecord({"file": "*a*_[b](c).csv", "reason": "it is `empty`"})
    ]


@dagster_job(name="backfill")
def _days():
    _nothing()


def test_a_backfill_of_other_days_is_not_taken_for_the_run_that_landed_a_file(landing):
    with DagsterInstance.ephemeral() as instance:
        (landing.landing / "generic" / "a.csv").write_text("x")
        time.sleep(0.05)
        _days.execute_in_process(instance=instance)
        assert _look(landing, instance)[0] == 1


def test_loading_the_definitions_opens_only_the_manifest_and_no_connection(real):
    code = """
        import sys
        from pathlib import Path
        opened = []

        def watch(event, arguments):
            if event == "open" and isinstance(arguments[0], str):
                opened.append(Path(arguments[0]))
            if event == "socket.connect" or event == "subprocess.Popen" and "dbt" in str(arguments):
                opened.append(f"{event} {arguments}")

        import duckdb
        duckdb.connect = None
        sys.addaudithook(watch)
        import orchestration.definitions
        imported, opened[:] = [*opened], []
        orchestration.definitions.defs()
        root, home = Path(sys.argv[1]), Path(sys.argv[2])
        for step in (imported, opened):
            print(sorted({
                str(one) for one in step
                if isinstance(one, str)
                or (one.is_relative_to(root) or one.is_relative_to(home))
                and one.suffix not in (".py", ".pyc") and ".venv" not in one.parts
                and one.is_file()
            }))
    """
    settings = real[0]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(PROJECT_ROOT), str(settings.home)],
        env={"PATH": "", "HOME": "/", "INTENT_MAP_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
    )
    assert done.stderr == ""
    importing, loading = done.stdout.strip().splitlines()
    assert importing == "[]"
    assert loading == str([str(dbt_runner.manifest_path(settings))])
