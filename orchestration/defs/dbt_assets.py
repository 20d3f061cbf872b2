"""The dbt models as Dagster assets, their data tests as asset checks.

Belongs here: which models run on which clock, how nodes are grouped, what each shows in the UI.
Does not belong here: calling dbt (dbt_runner.py), building anew (fingerprint.py).
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date
from typing import Any

import duckdb
from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Config,
    MetadataValue,
    Output,
    TimeWindowPartitionsDefinition,
)
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration import arrivals, dbt_runner, fingerprint, retention
from orchestration.defs.partitions import quarters_asked, time_zone
from orchestration.defs.steps import OWNERS, WRITER_POOL, check_rules, problems_in_words
from orchestration.errors import IntentMapError
from orchestration.locking import writer_lock
from orchestration.migrations import bring_up_to_date
from orchestration.one_line import in_short
from orchestration.restatement import is_written, next_restatement
from orchestration.settings import Settings

# a run of a job with this tag builds every row anew from raw
REBUILD_TAG = "intent_map/rebuild"
# a row is judged once, by what is known then of its user agent, so these are built whenever it is
JUDGED_BY = {"int_event_receipts": ("int_agents_met", "int_user_agents")}
# of the rows that a warning is of
MOST_ROWS_SAID = 5
FLOORS = ("seeds", "staging", "intermediate", "valuation", "marts")


class ValuationConfig(Config):
    """What a quarterly run may be told: to write a version that is there once more, and why."""

    restate: bool = False
    why: str = ""


class FloorTranslator(DagsterDbtTranslator):
    """Groups each node by its floor, which is its schema; raw tables are the group landing."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        group = "landing" if node["resource_type"] == "source" else node["schema"]
        return spec.replace_attributes(
            group_name=group,
            description=" ".join(node["description"].split()) or None,
            owners=OWNERS,
        )


def build_dbt_assets(
    settings: Settings, manifest: Mapping[str, Any], quarters: TimeWindowPartitionsDefinition
) -> tuple[AssetsDefinition, AssetsDefinition]:
    """The models of the nightly clock and those of the quarterly clock."""
    manifest = with_all_tests_attached(manifest)
    translator = FloorTranslator()

    @dbt_assets(
        manifest=manifest,
        exclude=dbt_runner.QUARTERLY_TAG,
        name="nightly_models",
        dagster_dbt_translator=translator,
        pool=WRITER_POOL,
    )
    def nightly_models(context: AssetExecutionContext) -> Iterator[Output | AssetCheckResult]:
        with (
            problems_in_words(context),
            writer_lock(settings, "nightly models", report=context.log.info),
        ):
            check_rules(settings, context.log.debug)
            bring_up_to_date(settings, manifest, report=context.log.info)
            selected = Selection(context, manifest, translator)
            incremental = fingerprint.incremental_models(manifest, selected.names)
            rules = fingerprint.current(settings, manifest)
            changed = fingerprint.changed_parts(settings, rules, incremental)
            # asked of the job: the runs of a backfill in the UI do not carry its tags
            asked = REBUILD_TAG in context.job_def.run_tags
            if asked:
                context.log.info("Building all rows anew, as this run asks for.")
            elif changed:
                context.log.info(fingerprint.in_words(changed))
            # of the whole run: where Dagster parts it, an earlier part would follow the new rules,
            # and the one with the rows be refused
            in_run = fingerprint.incremental_models(manifest, nodes_of_run(context, manifest))
            if to_come := fingerprint.changed_parts(settings, rules, in_run):
                retention.refuse_to_build_anew(settings, fingerprint.in_words(to_come))
            elif asked:
                retention.refuse_to_build_anew(settings, "This run builds all rows anew.")
            if asked or changed:
                retention.say_what_counts_no_more(settings, context.log.info)
            if changed:
                fingerprint.forget(settings, rules, changed, incremental)
            args = dbt_runner.nightly_args(
                settings,
                selected.names,
                full_refresh=asked or bool(changed),
                among=selected.clocks,
            )
            yield from selected.run(settings, args, "nightly")
            behind = fingerprint.remember(settings, rules, manifest, selected.names)
            if behind:
                context.log.info(fingerprint.behind_in_words(behind))
            if moved := fingerprint.moved(settings, rules, manifest):
                comes_of_it = "The next night builds all rows anew."
                if retention.holds_retired_rows(settings):
                    # noted, it would stop each night from now on, also when all is put back
                    comes_of_it = (
                        "Raw rows are retired, so nothing is built anew for that: put back a "
                        "backup from before this run if it matters."
                    )
                else:
                    fingerprint.doubt(settings, rules, moved, manifest, selected.names)
                context.log.warning(f"{fingerprint.moved_in_words(moved)} {comes_of_it}")

    @dbt_assets(
        manifest=manifest,
        select=dbt_runner.QUARTERLY_TAG,
        name="quarterly_models",
        dagster_dbt_translator=translator,
        partitions_def=quarters,
        # several are one run that writes them in order: each leans on the one before it
        backfill_policy=BackfillPolicy.single_run(),
        pool=WRITER_POOL,
    )
    def quarterly_models(
        context: AssetExecutionContext, config: ValuationConfig
    ) -> Iterator[Output | AssetCheckResult]:
        noted = dbt_runner.manifest_vars(manifest)
        start = date.fromisoformat(noted["project_start_date"])
        with (
            problems_in_words(context),
            writer_lock(
                settings,
                f"value version {quarters_asked(context.run.tags, quarters, start)[-1]}",
                report=context.log.info,
            ),
        ):
            check_rules(settings, context.log.debug)
            why = restatement_reason(config)
            days = [date.fromisoformat(key) for key in context.partition_keys]
            bring_up_to_date(settings, manifest, report=context.log.info)
            selected = Selection(context, manifest, translator)
            refuse_part_of_a_version(manifest, selected.names)
            rules = fingerprint.current(settings, manifest)
            fingerprint.refuse_to_value(settings, rules, manifest, selected.names)
            restatement = None
            if why is not None:
                if len(days) > 1:
                    raise IntentMapError("One version is restated at a time; choose one quarter.")
                restatement = next_restatement(settings, days[0], why)
                context.log.info(f"Restatement {restatement.number}: {restatement.reason}")
            first = _first_day(settings, noted["reporting_time_zone"])
            *earlier, last = _with_history(first, sorted(days))
            for day in (*earlier, last):
                kept = restatement is None and is_written(settings, day)
                context.log.info(_announced(first, day, kept))
                args = dbt_runner.quarterly_args(
                    settings, day, selected.names, restatement, among=selected.clocks
                )
                if day == last:
                    # a table is materialized once in a run, for all of its partitions
                    yield from selected.run(settings, args, "quarterly")
                else:
                    selected.run_unseen(settings, args)

    return nightly_models, quarterly_models


def nodes_of_run(context: AssetExecutionContext, manifest: Mapping[str, Any]) -> set[str]:
    """Names of the nodes in all steps of this run."""
    layer = context.job_def.asset_layer
    specs = [layer.get(key).metadata for key in layer.selected_asset_keys]
    ids = {metadata.get("dagster_dbt/unique_id") for metadata in specs}
    return {node["name"] for unique_id, node in manifest["nodes"].items() if unique_id in ids}


def restatement_reason(config: ValuationConfig) -> str | None:
    """Why a version is to be written once more; None where none is. Raises IntentMapError on a
    reason for nothing."""
    if config.why and not config.restate:
        raise IntentMapError(
            "why is the reason for a restatement; set restate beside it in the config of "
            "quarterly_models to do it."
        )
    return config.why if config.restate else None


def refuse_part_of_a_version(manifest: Mapping[str, Any], names: Iterable[str]) -> None:
    """Stop where kept tables are among these nodes (names) without all that they are computed from:
    that holds one quarter at a time, maybe another. Raises IntentMapError."""
    wanted = {*names}
    quarterly = {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and dbt_runner.is_quarterly(node)
    }
    kept = [
        unique_id
        for unique_id, node in quarterly.items()
        if node["name"] in wanted and node["config"].get("full_refresh") is False
    ]
    below = quarterly.keys() & fingerprint.ancestors(manifest, kept)
    missing = sorted({quarterly[unique_id]["name"] for unique_id in below} - wanted)
    if missing:
        raise IntentMapError(
            "A version is written whole, and the tables that it is computed from hold one quarter "
            f"at a time: choose {in_short(missing)} too, or run "
            "quarterly_value_recalculation. Where they were chosen, leave out tables of the "
            "nightly clock, such as val_segments: Dagster parts the step around them."
        )


def _first_day(settings: Settings, zone: str) -> date | None:
    """The day of the first session in the reporting time zone, in which versions begin; None where
    there is none, or nothing was built yet."""
    with (
        contextlib.suppress(duckdb.CatalogException, duckdb.IOException),
        duckdb.connect(str(settings.warehouse), read_only=True) as con,
    ):
        (first,) = con.execute("select min(started_at) from intermediate.int_sessions").fetchone()
        return first.replace(tzinfo=UTC).astimezone(time_zone(zone)).date() if first else None
    return None


def _with_history(first: date | None, days: list[date]) -> list[date]:
    """Of several quarters those that something happened before, at least the last."""
    return [day for day in days[:-1] if first is not None and first < day] + days[-1:]


def _announced(first: date | None, day: date, kept: bool) -> str:
    if kept:
        return (
            f"Value version {day} is there already and stays as it is, whatever came or was "
            "changed since. To write it once more: --restate --why TEXT on the command line, in "
            "Dagster restate and why in the config of quarterly_models."
        )
    if first is None or first >= day:
        return f"Nothing happened before {day}, so there is no value version of that day."
    return f"Value version {day}: from what happened before that day."


class Selection:
    """The nodes that one step covers: the assets selected and the checks that belong to them."""

    def __init__(
        self,
        context: AssetExecutionContext,
        manifest: Mapping[str, Any],
        translator: FloorTranslator,
    ) -> None:
        self._context = context
        self._manifest = manifest
        self._translator = translator
        specs = {spec.key: spec for spec in context.assets_def.specs}
        checks = {check.key: check for check in context.assets_def.check_specs}
        ids = [
            specs[key].metadata["dagster_dbt/unique_id"] for key in context.selected_asset_keys
        ] + [
            checks[key].metadata["dagster_dbt/unique_id"]
            for key in context.selected_asset_check_keys
        ]
        nodes = [manifest["nodes"][unique_id] for unique_id in sorted(ids)]
        chosen = [node["name"] for node in nodes]
        self._along = sorted(
            {below for name in chosen for below in JUDGED_BY.get(name, ())} - {*chosen}
        )
        self.names = chosen + self._along
        self.clocks = dbt_runner.clocks(manifest)
        self._tables = sum(node["resource_type"] != "test" for node in nodes)

    def run(
        self, settings: Settings, args: list[str], clock: str
    ) -> Iterator[Output | AssetCheckResult]:
        """Run dbt; one output per table with its rows and seconds, one result per data test."""
        log = self._context.log
        if self._along:
            log.info(f"Built along, as rows are judged by them: {', '.join(self._along)}.")
        seen = arrivals.seen_before(settings) if arrivals.MODEL in self.names else {}
        built, passed = 0, 0
        for event in dbt_runner.run_dbt(settings, args, report=log.info):
            data = event["data"]
            name, seconds = data["node_info"]["node_name"], data.get("execution_time") or 0.0
            if name in self._along:
                continue
            if event["info"]["name"] == "LogTestResult":
                passed += data["status"] == "pass"
                if data["status"] != "pass":
                    log.info(f"data test {name}: {data['status']}, {data['num_failures']} rows")
                if data["status"] == "warn":
                    self._list_rows(settings, clock, data)
            else:
                built += 1
                failed = "" if data["status"].upper() != "ERROR" else " FAILED"
                log.info(f"[{built}/{self._tables}] {name} {seconds:.1f} s{failed}")
            yield from self._to_dagster(settings, clock, event, seen)
        log.info(f"{built} tables built, {passed} data tests passed.")

    def _list_rows(self, settings: Settings, clock: str, data: Mapping[str, Any]) -> None:
        """Say which rows a warning is of: nobody else does who works at the command line."""
        node = self._manifest["nodes"][data["node_info"]["unique_id"]]
        path = dbt_runner.compiled_path(settings, clock, node)
        rows = dbt_runner.rows_found(path, MOST_ROWS_SAID)
        for row in rows:
            self._context.log.info(f"  {row}")
        if data["num_failures"] > len(rows):
            self._context.log.info(f"  all of them by the query in {path}")

    def run_unseen(self, settings: Settings, args: list[str]) -> None:
        """Run dbt without telling Dagster of each table."""
        for _ in dbt_runner.run_dbt(settings, args, report=self._context.log.info):
            pass

    def _to_dagster(
        self, settings: Settings, clock: str, event: dict[str, Any], seen: Mapping[str, int]
    ) -> Iterator[Output | AssetCheckResult]:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        for result in message.to_default_asset_events(
            self._manifest, self._translator, context=self._context
        ):
            node = self._manifest["nodes"][event["data"]["node_info"]["unique_id"]]
            if isinstance(result, Output):
                shown: dict[str, Any] = {}
                rows = dbt_runner.count_rows(node)
                if rows is not None:
                    shown["dagster/row_count"] = rows
                if node["name"] == arrivals.MODEL:
                    shown |= arrivals.what_became_of_them(settings, node, seen)
                result = result.with_metadata({**result.metadata, **shown})
            elif isinstance(result, AssetCheckResult):
                shown = {"failing rows": event["data"].get("num_failures") or 0}
                if not result.passed:
                    path = dbt_runner.compiled_path(settings, clock, node)
                    shown["query that shows them"] = MetadataValue.path(path)
                result = result._replace(metadata={**result.metadata, **shown})
            yield result


def with_all_tests_attached(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest, with each data test that dbt attaches to no model attached to one.

    dbt does so for a test that stands in one model's YAML; a singular test that reads several
    tables belongs to the one that its name begins with, else to the highest one it reads.
    """
    nodes = dict(manifest["nodes"])
    for unique_id, node in nodes.items():
        if node["resource_type"] != "test" or node.get("attached_node"):
            continue
        reads = [parent for parent in node["depends_on"]["nodes"] if parent in nodes]
        if reads:
            nodes[unique_id] = {**node, "attached_node": max(reads, key=_fits(node, nodes))}
    return {**manifest, "nodes": nodes}


def _fits(
    test: Mapping[str, Any], nodes: Mapping[str, Any]
) -> Callable[[str], tuple[bool, int, str]]:
    def rank(unique_id: str) -> tuple[bool, int, str]:
        node = nodes[unique_id]
        floor = FLOORS.index(node["schema"]) if node["schema"] in FLOORS else -1
        return test["name"].startswith(node["name"] + "__"), floor, node["name"]

    return rank
