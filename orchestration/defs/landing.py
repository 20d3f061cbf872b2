"""The raw tables as Dagster assets.

Belongs here: the assets and what they show. Does not belong here: reading files
(orchestration/landing).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from orchestration.defs.steps import WRITER_POOL, check_rules, problems_in_words
from orchestration.landing import RAW_TABLE, SOURCES, LandingResult, SourceLanding, land
from orchestration.locking import writer_lock
from orchestration.migrations import bring_up_to_date
from orchestration.settings import Settings

LOADS = AssetKey(["raw", "loads"])
FILES_SHOWN = 20


def raw_key(source: str) -> AssetKey:
    """Key of a landing source's raw table; dbt's source of that name has the same."""
    return AssetKey(["raw", RAW_TABLE[source]])


def build_landing_assets(settings: Settings, manifest: Mapping[str, Any]) -> AssetsDefinition:
    """One asset per landing source, and the list of loads; any of them can run alone."""
    descriptions = _descriptions(manifest)
    specs = [
        AssetSpec(
            key,
            group_name="landing",
            kinds={"duckdb", "file"},
            description=descriptions.get(key) or None,
            skippable=True,
        )
        for key in [*map(raw_key, SOURCES), LOADS]
    ]

    @multi_asset(
        name="landing",
        specs=specs,
        can_subset=True,
        pool=WRITER_POOL,
    )
    def landing(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        report = context.log.info
        chosen = [s for s in SOURCES if raw_key(s) in context.selected_asset_keys]
        with problems_in_words(context), writer_lock(settings, "landing", report=report):
            check_rules(settings, report)
            bring_up_to_date(settings, manifest, report)
            result = LandingResult()
            if len(chosen) == len(SOURCES):
                # together, so that it also says what lies in no source's folder
                result = land(settings, report=report)
            else:
                for source in chosen:
                    result.sources |= land(settings, source=source, report=report).sources
        for source in chosen:
            yield MaterializeResult(raw_key(source), metadata=shown(result.sources[source]))
        if LOADS in context.selected_asset_keys:
            yield MaterializeResult(
                LOADS,
                metadata={
                    "files": result.files_landed,
                    "rows": result.rows,
                    "set aside": len(result.set_aside),
                },
            )

    return landing


def build_other_raw_assets(manifest: Mapping[str, Any]) -> list[AssetSpec]:
    """The raw tables that landing does not fill: the models keep their own notes there."""
    landed = {*map(raw_key, SOURCES), LOADS}
    return [
        AssetSpec(key, group_name="landing", kinds={"duckdb"}, description=description or None)
        for key, description in _descriptions(manifest).items()
        if key not in landed
    ]


def _descriptions(manifest: Mapping[str, Any]) -> dict[AssetKey, str]:
    return {
        AssetKey([node["schema"], node["name"]]): " ".join(node["description"].split())
        for node in manifest["sources"].values()
    }


def shown(outcome: SourceLanding) -> dict[str, Any]:
    """What the UI shows and plots of one source's landing."""
    numbers: dict[str, Any] = {
        "files": outcome.files_landed,
        "rows": outcome.rows,
        "rows with something unreadable": outcome.unreadable_rows,
        "files unchanged": outcome.unchanged,
        "set aside": len(outcome.set_aside),
        "skipped": len(outcome.skipped),
    }
    left_out = [*outcome.set_aside, *outcome.skipped]
    if left_out:
        lines = [f"- {name}: {reason}" for name, reason in left_out[:FILES_SHOWN]]
        if len(left_out) > FILES_SHOWN:
            lines.append(f"- and {len(left_out) - FILES_SHOWN} more")
        numbers["files left out"] = MetadataValue.md("\n".join(lines))
    if outcome.attached:
        numbers["read in place"] = outcome.attached
    return numbers
