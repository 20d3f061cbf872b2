"""dbt gets the right arguments, runs in this process, and leaves nothing open behind it."""

import gc
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from dbt.config.runtime import load_profile
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context

from orchestration import dbt_runner
from orchestration.dbt_runner import DbtError, nightly_args, parse_args, quarterly_args
from orchestration.errors import IntentMapError
from orchestration.restatement import Restatement
from orchestration.settings import PROJECT_ROOT, Settings

pytest_plugins = ["stub_project"]


@pytest.fixture
def plain():
    return Settings(home=Path("/somewhere/heim ü"), seeds=PROJECT_ROOT / "seeds")


def _after(args, flag):
    return args[args.index(flag) + 1]


def test_the_nightly_arguments_are_these(plain):
    assert nightly_args(plain) == [
        "build",
        "--project-dir",
        str(PROJECT_ROOT / "dbt_project"),
        "--profiles-dir",
        str(PROJECT_ROOT),
        "--target",
        "duckdb",
        "--target-path",
        "/somewhere/heim ü/dbt/nightly",
        "--log-path",
        "/somewhere/heim ü/dbt/logs",
        "--log-level",
        "none",
        "--log-file-max-bytes",
        "20971520",
        "--no-use-colors",
        "--no-write-json",
        "--exclude-resource-type",
        "unit_test",
        "--exclude",
        "tag:quarterly",
    ]


def test_names_select_exactly_those_nodes(plain):
    args = nightly_args(plain, ["int_events", "int_sessions"])
    assert args[-5:] == [
        "--indirect-selection",
        "empty",
        "--select",
        "int_events",
        "int_sessions",
    ]
    assert "tag:quarterly" not in args


def test_of_the_chosen_and_the_others_the_shorter_list_is_given(plain):
    among = dict.fromkeys("abcd", "nightly")
    most = nightly_args(plain, ["a", "b", "c"], among=among)
    assert most[-6:] == ["--indirect-selection", "empty", "--select", "*", "--exclude", "d"]
    few = nightly_args(plain, ["a"], among=among)
    assert few[-4:] == ["--indirect-selection", "empty", "--select", "a"]


def test_all_of_a_clock_is_chosen_by_its_tag(plain):
    among = {"a": "nightly", "b": "nightly", "c": "quarterly", "t": "none"}
    nightly = nightly_args(plain, ["b", "a"], among=among)
    assert nightly[-3:] == ["--exclude", "tag:quarterly", "t"]
    quarterly = quarterly_args(plain, date(2026, 7, 1), ["c"], among=among)
    assert quarterly[-2:] == ["--select", "tag:quarterly"]
    for args in (nightly, quarterly):
        assert "--indirect-selection" not in args


def test_only_a_full_refresh_says_so(plain):
    assert "--full-refresh" in nightly_args(plain, full_refresh=True)
    assert "--full-refresh" not in nightly_args(plain)
    assert "--full-refresh" not in quarterly_args(plain, date(2026, 7, 1))


def test_the_quarterly_arguments_carry_the_version_date_and_select_by_tag(plain):
    args = quarterly_args(plain, date(2026, 7, 1))
    assert _after(args, "--vars") == '{"version_date": "2026-07-01"}'
    assert _after(args, "--select") == "tag:quarterly"


def test_the_arguments_of_a_restatement_carry_its_number_and_reason(plain):
    args = dbt_runner.quarterly_args(plain, date(2026, 7, 1), restatement=Restatement(2, "it's so"))
    assert json.loads(_after(args, "--vars")) == {
        "version_date": "2026-07-01",
        "restatement": 2,
        "restatement_reason": "it's so",
    }


def test_overridden_vars_reach_both_clocks_and_the_version_date_of_the_run_wins():
    settings = Settings(
        home=Path("/h"),
        seeds=Path("/s"),
        dbt_vars={"version_date": "2020-01-01", "horizon_days": 7},
    )
    nightly = _after(nightly_args(settings), "--vars")
    quarterly = _after(quarterly_args(settings, date(2026, 7, 1)), "--vars")
    assert nightly == '{"horizon_days": 7, "version_date": "2020-01-01"}'
    assert quarterly == '{"horizon_days": 7, "version_date": "2026-07-01"}'


def test_vars_are_left_out_when_there_are_none(plain):
    assert "--vars" not in nightly_args(plain)
    assert "--vars" not in parse_args(plain)


def test_each_clock_has_its_own_target_folder(plain):
    # other vars make dbt forget what it parsed, so they must not share one
    args = [parse_args(plain), nightly_args(plain), quarterly_args(plain, date(2026, 7, 1))]
    assert len({_after(each, "--target-path") for each in args}) == 3


def test_the_shipped_business_files_keep_the_name_that_dbt_project_yml_gives_them(plain):
    assert dbt_runner.environment(plain)["INTENT_MAP_SEEDS"] == "../seeds"


def test_business_files_elsewhere_are_named_by_their_absolute_path(tmp_path):
    settings = Settings(home=tmp_path, seeds=tmp_path / "mine")
    environment = dbt_runner.environment(settings)
    assert environment["INTENT_MAP_SEEDS"] == str(tmp_path / "mine")
    assert environment["INTENT_MAP_HOME"] == str(tmp_path)


@pytest.fixture
def project(lasting_project):
    yield lasting_project
    lasting_project.restore()


def _night(settings, **options):
    return [
        event["data"]["node_info"]["node_name"]
        for event in dbt_runner.run_dbt(settings, nightly_args(settings, **options))
    ]


def _is_free(settings):
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    return subprocess.run([sys.executable, "-c", code, settings.warehouse], check=False).returncode


def test_a_night_yields_an_event_per_node_and_leaves_the_process_as_it_was(
    project,
    tmp_path,
    monkeypatch,
):
    settings = project.settings()
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    events = _night(settings)
    assert sorted(name for name in events if name.startswith("mart_")) == [
        "mart_sessions",
        "mart_values",
        "mart_values__is_never_before_1970",
    ]
    assert "rules" in events
    assert Path.cwd() == tmp_path
    assert dict(os.environ) == before
    assert _is_free(settings) == 0

    # the second night parses nothing anew and still finds ../seeds
    assert sorted(_night(settings, select=["rules", "mart_sessions"])) == ["mart_sessions", "rules"]


def test_the_business_files_of_another_folder_are_read(project, tmp_path):
    elsewhere = tmp_path / "mine ü"
    elsewhere.mkdir()
    (elsewhere / "rules.csv").write_text("rule,weight\nmine,1\n")
    (elsewhere / "labels.csv").write_text("label\nmine\n")
    settings = project.settings(seeds=elsewhere)
    _night(settings, select=["rules"])
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        assert con.execute("select rule from seeds.rules").fetchall() == [("mine",)]


def test_a_failing_model_is_named_with_its_message_and_the_log(project):
    project.write(
        "dbt_project/models/marts/mart_sessions.sql",
        "select no_such_column from {{ ref('int_sessions') }}",
    )
    settings = project.settings()
    with pytest.raises(DbtError) as caught:
        _night(settings)
    message = str(caught.value)
    assert "dbt model mart_sessions failed" in message
    assert "no_such_column" in message
    assert str(settings.dbt_log_path / "dbt.log") in message
    assert "\n" not in message
    assert not caught.value.is_transient
    assert _is_free(settings) == 0


TOO_LARGE_FOR_TWO = """
    -- depends_on: {{ ref('int_sessions') }}
    {% if target.threads > 1 %}
        select error('Out of Memory Error: could not allocate block') as visitor_id
    {% else %}
        select * from {{ ref('int_sessions') }}
    {% endif %}
    """


def test_what_found_no_memory_beside_another_model_is_built_by_itself(project):
    project.write("dbt_project/models/marts/mart_sessions.sql", TOO_LARGE_FOR_TWO)
    kind = "{{ 'whole' if flags.FULL_REFRESH else 'part' }}"
    project.write(
        "dbt_project/models/marts/mart_after.sql",
        f"select '{kind}' as kind, count(*) as n from {{{{ ref('mart_sessions') }}}}",
    )
    settings = project.settings()
    lines = []
    args = nightly_args(settings, full_refresh=True)
    events = list(dbt_runner.run_dbt(settings, args, report=lines.append))
    names = [event["data"]["node_info"]["node_name"] for event in events]
    assert len(set(names)) == len(names)
    assert {"rules", "int_sessions", "mart_sessions", "mart_after"} <= set(names)
    assert "unique_mart_sessions_visitor_id" in names
    assert names.index("rules") < names.index("mart_sessions") < names.index("mart_after")
    assert not [event for event in events if event["data"]["status"].lower() == "error"]
    (line,) = lines
    assert line.startswith("Not enough memory side by side, so one at a time: mart_sessions, ")
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        assert con.execute("select kind from marts.mart_after").fetchall() == [("whole",)]


def test_the_second_run_of_a_quarter_values_the_same_day(project):
    project.write(
        "dbt_project/models/valuation/val_versions.sql",
        """
        -- depends_on: {{ ref('int_sessions') }}
        {{ config(materialized='table', tags=['quarterly']) }}
        {% if target.threads > 1 %}
            select error('Out of Memory Error: could not allocate block') as valid_from
        {% else %}
            select cast('{{ var("version_date") }}' as date) as valid_from, 1 as sessions
        {% endif %}
        """,
    )
    settings = project.settings(dbt_vars={"horizon_days": 7})
    _night(settings, select=["int_sessions", "rules"])
    lines = []
    args = quarterly_args(settings, date(2026, 7, 1), select=["val_versions"])
    (event,) = dbt_runner.run_dbt(settings, args, report=lines.append)
    assert event["data"]["node_info"]["node_name"] == "val_versions"
    assert lines == ["Not enough memory side by side, so one at a time: val_versions."]
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        found = con.execute("select valid_from from valuation.val_versions").fetchall()
    settings.warehouse.unlink()
    assert found == [(date(2026, 7, 1),)]


def test_what_found_no_memory_is_left_when_something_else_failed_too(project):
    # what waits for the other one must not run, as its table is not there
    project.write("dbt_project/models/marts/mart_sessions.sql", TOO_LARGE_FOR_TWO)
    project.write("dbt_project/models/marts/mart_broken.sql", "select no_such_column")
    project.write(
        "dbt_project/models/marts/mart_after.sql", "select * from {{ ref('mart_broken') }}"
    )
    settings = project.settings()
    names, lines = [], []
    with pytest.raises(DbtError) as caught:
        for event in dbt_runner.run_dbt(settings, nightly_args(settings), report=lines.append):
            names.append((event["data"]["node_info"]["node_name"], event["data"]["status"]))
    assert {("mart_sessions", "error"), ("mart_broken", "error")} == set(names[-2:])
    assert not lines
    assert "Failed too: mart_" in str(caught.value)
    assert "INTENT_MAP_MEMORY_LIMIT" not in str(caught.value)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_what_finds_no_memory_by_itself_either_fails_with_the_way_out(
    project, monkeypatch, threads
):
    monkeypatch.setenv("INTENT_MAP_THREADS", threads)
    monkeypatch.setenv("INTENT_MAP_MEMORY_LIMIT", "64MiB")
    project.write(
        "dbt_project/models/marts/mart_values.sql",
        "select list(i) as all_of_them from range(100000000) as numbers (i)",
    )
    settings = project.settings()
    names, lines = [], []
    with pytest.raises(DbtError) as caught:
        for event in dbt_runner.run_dbt(settings, nightly_args(settings), report=lines.append):
            names.append(event["data"]["node_info"]["node_name"])
    assert names.count("mart_values") == 1
    assert len(lines) == (threads == "2")
    assert "dbt model mart_values failed: " in str(caught.value)
    assert "Out of Memory Error: " in str(caught.value)
    assert "SET memory_limit" not in str(caught.value)
    assert "INTENT_MAP_MEMORY_LIMIT is too low for it." in str(caught.value)
    assert not caught.value.is_transient


def test_a_failing_data_test_is_named_with_the_number_of_rows(project):
    settings = project.settings()
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists raw")
        con.execute("create or replace table raw.generic_events (visitor_id varchar)")
        con.execute("insert into raw.generic_events values (null), (null)")
    with pytest.raises(DbtError, match="data test not_null_mart_sessions_visitor_id failed: Got 2"):
        _night(settings, full_refresh=True)
    settings.warehouse.unlink()


def test_a_project_that_cannot_be_read_says_what_is_wrong(project):
    project.write("dbt_project/models/marts/mart_values.sql", "{{ ref('nothing') }}")
    with pytest.raises(DbtError, match=r"dbt stopped: .*'nothing' which was not found"):
        dbt_runner.prepare_manifest(project.settings(), report=lambda _: None)


def test_descriptions_beside_business_files_elsewhere_are_named(project, tmp_path):
    (tmp_path / "rules.csv").write_text("rule,weight\nmine,1\n")
    (tmp_path / "labels.csv").write_text("label\nmine\n")
    for name in ("rules.yml", "copied.yml"):
        (tmp_path / name).write_text("seeds: [{name: rules, description: twice}]\n")
    settings = project.settings(seeds=tmp_path)
    with pytest.raises(IntentMapError, match=r"(?s)^copied\.yml: descriptions stay.*rules\.yml:"):
        dbt_runner.prepare_manifest(settings, report=lambda _: None)


def test_business_files_that_are_not_there_are_named_and_not_a_model_that_reads_them(
    project, tmp_path
):
    settings = project.settings(seeds=tmp_path)
    for there in (0, 1):
        with pytest.raises(IntentMapError, match=r"bot_rules\.csv: the file is missing in"):
            dbt_runner.prepare_manifest(settings, report=lambda _: None)
        (tmp_path / "funnels.csv").write_text(f"funnel\n{there}\n")


def test_who_stops_listening_stops_the_running_query(project):
    slow = "select count(*) as n from range(3000000000) a(i), range(9) b(j) where (i * j) % 7 = 3"
    project.write("dbt_project/models/marts/mart_slow.sql", slow)
    settings = project.settings()
    events = dbt_runner.run_dbt(settings, nightly_args(settings))
    next(events)
    assert not gc.isenabled()
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 15
    assert gc.isenabled()
    assert _is_free(settings) == 0


def test_the_manifest_is_made_once_and_anew_after_each_change(project):
    settings = project.settings()
    lines = []

    def was_made(using=settings):
        lines.clear()
        dbt_runner.prepare_manifest(using, report=lines.append)
        return bool(lines)

    assert was_made()
    assert not was_made()
    assert dbt_runner.manifest_vars(dbt_runner.load_manifest(settings)) == {
        "reporting_time_zone": "Europe/Prague",
        "project_start_date": "2026-01-01",
        "arrival_days_offered": "36500",
    }

    project.write("dbt_project/models/marts/mart_more.sql", "select 1 as one")
    assert was_made()
    (project.folder / "dbt_project/models/marts/mart_more.sql").unlink()
    assert was_made()
    assert "model.intent_map.mart_more" not in dbt_runner.load_manifest(settings)["nodes"]

    zone = project.settings(dbt_vars={"reporting_time_zone": "Asia/Tokyo"})
    assert was_made(zone)
    noted = dbt_runner.manifest_vars(dbt_runner.load_manifest(zone))
    assert noted["reporting_time_zone"] == "Asia/Tokyo"

    # as if a killed process had left half of it
    dbt_runner.manifest_path(zone).write_text('{"nodes": ')
    assert was_made(zone)


def test_a_file_that_an_upgrade_brings_with_an_old_time_makes_the_manifest_anew(project):
    settings = project.settings()
    lines = []
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    path = project.write("dbt_project/models/marts/mart_sessions.sql", "select 1 as visitor_id")
    os.utime(path, (0, 0))
    dbt_runner.prepare_manifest(settings, report=lines.append)
    assert lines
    nodes = dbt_runner.load_manifest(settings)["nodes"]
    assert nodes["model.intent_map.mart_sessions"]["raw_code"] == "select 1 as visitor_id"


def test_making_the_manifest_opens_no_database(project, monkeypatch):
    settings = project.settings()
    settings.warehouse.unlink(missing_ok=True)
    project.write("dbt_project/models/marts/mart_more.sql", "select 1 as one")
    monkeypatch.setattr(duckdb, "connect", lambda *_, **__: pytest.fail("opened a database"))
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    assert "model.intent_map.mart_more" in dbt_runner.load_manifest(settings)["nodes"]
    assert not settings.warehouse.exists()


def test_a_connection_can_be_opened_after_another_has_spilled_to_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("INTENT_MAP_HOME", str(tmp_path))
    monkeypatch.setenv("INTENT_MAP_MEMORY_LIMIT", "60MB")
    (tmp_path / "warehouse").mkdir()
    set_invocation_context(os.environ)
    set_from_args(Namespace(PROFILES_DIR=str(PROJECT_ROOT)), None)
    profile = load_profile(str(PROJECT_ROOT / "dbt_project"), {})
    environment = LocalEnvironment(profile.credentials)
    try:
        first = environment.handle().cursor()
        first.execute("create table numbers as select hash(n) as n from range(5000000) as t(n)")
        first.execute("create table sorted as select n, n as m from numbers order by n")
        assert any((tmp_path / "warehouse" / "spill").iterdir())
        second = environment.handle().cursor()
        assert second.execute("select count(*) from sorted").fetchone() == (5000000,)
        folder = second.execute("select current_setting('temp_directory')").fetchone()[0]
        assert Path(folder) == tmp_path / "warehouse" / "spill"
    finally:
        environment.close()


def test_a_value_without_room_in_the_log_is_left_out_whole(tmp_path, monkeypatch):
    """Half an id would stay there when its owner is erased."""
    path = tmp_path / "test.sql"
    path.write_text("select 1", encoding="utf-8")
    texts = {"value": "x" * 200, "ordered_at": "of " * 20 + "somebody@shop.example"}
    row = {"order_id": "O-1", "value": None, "unreadable": json.dumps(texts), "row_number": 7}
    monkeypatch.setattr(dbt_runner, "query", lambda _: [(json.dumps(row),)])
    assert dbt_runner.rows_found(path, 5) == [
        "order_id O-1, unreadable \N{HORIZONTAL ELLIPSIS}, row_number 7"
    ]
