"""The raw tables as Dagster assets.

Belongs here: the assets and what they show. Does not belong here: reading files
(orchestration/landing).
"""

import contextlib
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    TimeWindowPartitionsDefinition,
    multi_asset,
)

from orchestration.dbt_runner import manifest_vars
from orchestration.defs.partitions import days_asked, quarters_asked
from orchestration.defs.steps import OWNERS, WRITER_POOL, check_rules, problems_in_words
from orchestration.errors import IntentMapError
from orchestration.landing import (
    RAW_TABLE,
    SOURCES,
    LandingResult,
    SourceLanding,
    land,
    land_days,
    ledger,
)
from orchestration.locking import writer_lock
from orchestration.migrations import bring_up_to_date
from orchestration.one_line import one_line
from orchestration.settings import Settings

# the step, by which the sensor of new files knows runs that landed
LANDING = "landing"
LOADS = AssetKey(["raw", "loads"])
ARRIVALS = AssetKey(["landing", "arrivals"])
FILES_SHOWN = 20
# what an attached table brings has no day of arrival
DAYS_LANDED = f"""
    select
        {ledger.day_of("arrived_at")} as day,
        count(*) as files,
        cast(sum(row_count) as bigint) as row_count
    from raw.loads
    where status = '{ledger.LANDED}' and arrived_at is not null
    group by day
"""


def raw_key(source: str) -> AssetKey:
    """Key of a landing source's raw table; dbt's source of that name has the same."""
    return AssetKey(["raw", RAW_TABLE[source]])


def build_landing_assets(
    settings: Settings,
    manifest: Mapping[str, Any],
    days: DailyPartitionsDefinition,
    quarters: TimeWindowPartitionsDefinition,
) -> AssetsDefinition:
    """One asset per landing source, the list of loads, and the arrivals by day.

    Any of them can run alone. A run for days of arrivals lands the files of these days; any other
    run lands whatever has not landed yet, and marks the days that it came from.
    """
    descriptions = _descriptions(manifest)
    project_start = date.fromisoformat(manifest_vars(manifest)["project_start_date"])
    specs = [
        AssetSpec(
            key,
            deps=[ARRIVALS],
            group_name="landing",
            kinds={"duckdb", "file"},
            owners=OWNERS,
            description=descriptions.get(key) or None,
            skippable=True,
        )
        for key in [*map(raw_key, SOURCES), LOADS]
    ]
    arrivals = AssetSpec(
        ARRIVALS,
        group_name="landing",
        kinds={"file"},
        owners=OWNERS,
        description=(
            "The files in the landing folders, by the day on which they arrived. A night lands "
            "every file that has not landed and marks its day here; materialize days to land "
            "only their files."
        ),
        partitions_def=days,
        skippable=True,
    )

    @multi_asset(
        name=LANDING,
        specs=[arrivals, *specs],
        can_subset=True,
        # many days are one run, since one process writes
        backfill_policy=BackfillPolicy.single_run(),
        pool=WRITER_POOL,
    )
    def landing(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        report = context.log.info
        began = time.monotonic()
        chosen = [s for s in SOURCES if raw_key(s) in context.selected_asset_keys]
        # a run for quarters has partitions too, but not of days
        by_days = ARRIVALS in context.selected_asset_keys and (
            context.has_partition_key or context.has_partition_key_range
        )
        with problems_in_words(context), writer_lock(settings, "landing", report=report):
            if ARRIVALS in context.selected_asset_keys and not by_days:
                raise IntentMapError(
                    "No day of arrival was chosen. Choose the partitions of some, or run "
                    "nightly_refresh, which lands whatever has not landed yet."
                )
            if by_days:
                refuse_days_not_offered(days_asked(context.run.tags), days)
            elif _values_too(context, quarters):
                # of the run's later step, said before anything has changed
                quarters_asked(context.run.tags, quarters, project_start)
            check_rules(settings, report)
            bring_up_to_date(settings, manifest, report)
            result = LandingResult()
            if by_days:
                asked = {date.fromisoformat(key) for key in context.partition_keys}
                result = land_days(settings, asked, report=report)
            elif len(chosen) == len(SOURCES):
                # together, so that it also says what lies in no source's folder
                result = land(settings, report=report)
            else:
                for source in chosen:
                    result.sources |= land(settings, source=source, report=report).sources
        seconds = round(time.monotonic() - began, 2)
        if ARRIVALS in context.selected_asset_keys:
            yield MaterializeResult(ARRIVALS, metadata=_total(result, seconds))
        else:
            marked = context.instance.get_materialized_partitions(ARRIVALS)
            not_marked = _not_marked(settings, marked, days)
            for arrived in _days_marked(result, not_marked, marked, days):
                context.log_event(arrived)
        for source in chosen:
            yield MaterializeResult(raw_key(source), metadata=shown(result.sources[source]))
        if LOADS in context.selected_asset_keys:
            yield MaterializeResult(
                LOADS,
                metadata=_total(result, seconds),
            )

    return landing


def _values_too(context: AssetExecutionContext, quarters: TimeWindowPartitionsDefinition) -> bool:
    """Whether this run has tables of the quarterly clock in it."""
    layer = context.job_def.asset_layer
    return any(layer.get(key).partitions_def == quarters for key in layer.selected_asset_keys)


def refuse_days_not_offered(asked: Iterable[date], days: DailyPartitionsDefinition) -> None:
    """Stop on a day of arrival that is none of these partitions. Raises IntentMapError."""
    first = date.fromisoformat(days.get_first_partition_key())
    last = date.fromisoformat(days.get_last_partition_key())
    for day in asked:
        if day > last:
            raise IntentMapError(f"{day} is in the future: no file can have arrived on it.")
        if day < first:
            raise IntentMapError(
                f"{day} is before {first}, the first day of arrival on offer here. Where it is "
                f"not before project_start_date, `intent-map backfill --from {day}` lands it."
            )


def _total(result: LandingResult, seconds: float) -> dict[str, Any]:
    return {
        "files": result.files_landed,
        "rows": result.rows,
        "set aside": len(result.set_aside),
        "seconds": seconds,
    }


def _not_marked(
    settings: Settings, marked: Collection[str], days: DailyPartitionsDefinition
) -> dict[date, tuple[int, int]]:
    """Day → files and rows that landed of it, of days that no run has marked: of one that ended
    behind the landing, or without Dagster."""
    landed: list[tuple[date, int, int]] = []
    # without a warehouse, or one from before there were days, nothing is missing
    with (
        contextlib.suppress(duckdb.Error),
        duckdb.connect(str(settings.warehouse), read_only=True) as con,
    ):
        landed = con.execute(DAYS_LANDED, [str(days.timezone)]).fetchall()
    return {day: (files, rows) for day, files, rows in landed if day.isoformat() not in marked}


def _days_marked(
    result: LandingResult,
    not_marked: Mapping[date, tuple[int, int]],
    marked: Collection[str],
    days: DailyPartitionsDefinition,
) -> Iterator[AssetMaterialization]:
    """The days whose files a run without days has landed, those that none has marked, and the day
    that is going on; not once more where a run has marked it, and nothing came since: it would show
    no files."""
    files: Counter[date] = Counter()
    rows: Counter[date] = Counter()
    for outcome in result.sources.values():
        files += outcome.files_of_day
        rows += outcome.rows_of_day
    for day, (files_before, rows_before) in not_marked.items():
        files[day], rows[day] = files_before, rows_before
    today = date.fromisoformat(days.get_last_partition_key())
    first = date.fromisoformat(days.get_first_partition_key())
    going_on = set() if today.isoformat() in marked else {today}
    for day in sorted({*files} | going_on):
        if first <= day <= today:
            yield AssetMaterialization(
                ARRIVALS,
                partition=day.isoformat(),
                metadata={"files": files[day], "rows": rows[day]},
            )


def build_other_raw_assets(manifest: Mapping[str, Any]) -> list[AssetSpec]:
    """The raw tables that landing does not fill: the models keep their own notes there."""
    landed = {*map(raw_key, SOURCES), LOADS}
    return [
        AssetSpec(
            key,
            group_name="landing",
            kinds={"duckdb"},
            owners=OWNERS,
            description=description or None,
        )
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
        # as a table: what stands in a name is no markup there
        rows = [
            {"file": one_line(name), "reason": one_line(reason)}
            for name, reason in left_out[:FILES_SHOWN]
        ]
        if len(left_out) > FILES_SHOWN:
            rows.append({"file": f"and {len(left_out) - FILES_SHOWN} more", "reason": ""})
        numbers["files left out"] = MetadataValue.table(
            records=[TableRecord(row) for row in rows],
            schema=TableSchema([TableColumn("file"), TableColumn("reason")]),
        )
    if outcome.attached:
        numbers["read in place"] = outcome.attached
    return numbers
