"""The dbt models as Dagster assets, their data tests as asset checks.

Belongs here: which models run on which clock, how nodes are grouped, what each shows in the UI.
Does not belong here: calling dbt (dbt_runner.py), building anew (fingerprint.py).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Config,
    Output,
    TimeWindowPartitionsDefinition,
)
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration import dbt_runner, fingerprint
from orchestration.defs.steps import WRITER_POOL, problems_in_words
from orchestration.locking import writer_lock
from orchestration.restatement import next_restatement
from orchestration.settings import Settings

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
            group_name=group, description=" ".join(node["description"].split()) or None
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
            selected = Selection(context, manifest, translator)
            incremental = fingerprint.incremental_models(manifest, selected.names)
            rules = fingerprint.current(settings, manifest)
            changed = fingerprint.changed_parts(settings, rules, incremental)
            if changed:
                context.log.info(fingerprint.in_words(changed))
            args = dbt_runner.nightly_args(settings, selected.names, full_refresh=bool(changed))
            yield from selected.run(settings, args)
            fingerprint.remember(settings, rules, incremental)

    @dbt_assets(
        manifest=manifest,
        select=dbt_runner.QUARTERLY_TAG,
        name="quarterly_models",
        dagster_dbt_translator=translator,
        partitions_def=quarters,
        # one version at a time: each leans on the one before it
        backfill_policy=BackfillPolicy.multi_run(max_partitions_per_run=1),
        pool=WRITER_POOL,
    )
    def quarterly_models(
        context: AssetExecutionContext, config: ValuationConfig
    ) -> Iterator[Output | AssetCheckResult]:
        version_date = date.fromisoformat(context.partition_key)
        what = f"value version {version_date}"
        with problems_in_words(context), writer_lock(settings, what, report=context.log.info):
            selected = Selection(context, manifest, translator)
            context.log.info(f"Value version {version_date}: from what happened before that day.")
            restatement = None
            if config.restate:
                restatement = next_restatement(settings, version_date, config.why)
                context.log.info(f"Restatement {restatement.number}: {restatement.reason}")
            args = dbt_runner.quarterly_args(settings, version_date, selected.names, restatement)
            yield from selected.run(settings, args)

    return nightly_models, quarterly_models


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
        self.names = [node["name"] for node in nodes]
        self._tables = sum(node["resource_type"] != "test" for node in nodes)

    def run(self, settings: Settings, args: list[str]) -> Iterator[Output | AssetCheckResult]:
        """Run dbt; one output per table with its rows and seconds, one result per data test."""
        log = self._context.log
        built, passed = 0, 0
        for event in dbt_runner.run_dbt(settings, args):
            data = event["data"]
            name, seconds = data["node_info"]["node_name"], data.get("execution_time") or 0.0
            if event["info"]["name"] == "LogTestResult":
                passed += data["status"] == "pass"
                if data["status"] != "pass":
                    log.info(f"data test {name}: {data['status']}, {data['num_failures']} rows")
            else:
                built += 1
                failed = "" if data["status"].upper() != "ERROR" else " FAILED"
                log.info(f"[{built}/{self._tables}] {name} {seconds:.1f} s{failed}")
            yield from self._to_dagster(event)
        log.info(f"{built} tables built, {passed} data tests passed.")

    def _to_dagster(self, event: dict[str, Any]) -> Iterator[Output | AssetCheckResult]:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        for result in message.to_default_asset_events(
            self._manifest, self._translator, context=self._context
        ):
            if isinstance(result, Output):
                node = self._manifest["nodes"][event["data"]["node_info"]["unique_id"]]
                rows = dbt_runner.count_rows(node)
                if rows is not None:
                    result = result.with_metadata({**result.metadata, "dagster/row_count": rows})
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
