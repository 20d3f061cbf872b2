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
    multi_asset,
)

from orchestration.defs.steps import RETRIES, WRITER_POOL, problems_in_words
from orchestration.landing import SOURCES, land
from orchestration.landing.declaration import RAW_TABLE
from orchestration.locking import writer_lock
from orchestration.settings import Settings

LOADS = AssetKey(["raw", "loads"])


def raw_key(source: str) -> AssetKey:
    """Key of a landing source's raw table; dbt's source of that name has the same."""
    return AssetKey(["raw", RAW_TABLE[source]])


def build_landing_assets(settings: Settings, manifest: Mapping[str, Any]) -> AssetsDefinition:
    """One asset per landing source, and the list of loads; any of them can run alone."""
    descriptions = {
        AssetKey([node["schema"], node["name"]]): " ".join(node["description"].split())
        for node in manifest["sources"].values()
    }
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
        retry_policy=RETRIES,
        pool=WRITER_POOL,
    )
    def landing(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        with problems_in_words(), writer_lock(settings, "landing", report=context.log.info):
            totals = {"files": 0, "rows": 0, "unchanged": 0, "set aside": 0}
            for source in SOURCES:
                if raw_key(source) not in context.selected_asset_keys:
                    continue
                landed = numbers(land(settings, source=source, report=context.log.info), source)
                for name, number in landed.items():
                    totals[name] += number
                yield MaterializeResult(raw_key(source), metadata=landed)
            if LOADS in context.selected_asset_keys:
                yield MaterializeResult(LOADS, metadata=totals)

    return landing
