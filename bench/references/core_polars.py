"""The core in Polars: lazy, streaming from the files to the narrow events, then one sort.

The same plan as core_duckdb.py, which says what makes it fast; here the running sums over the
sorted table are plain columns.
"""

import argparse
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from bench.references import core


def compute(folder: Path) -> core.Core:
    """The core of the files below folder/generic. Threads go by POLARS_MAX_THREADS."""
    rows = pl.scan_parquet(core.files_of(folder))
    accepted = _accepted(rows)
    raw = rows.select(pl.len()).collect().item()
    kept = len(accepted)
    names = _source_names(rows)

    # copies are found among the keys; only the few that came twice are looked at
    key = pl.col("event_key")
    repeated = accepted.lazy().group_by("event_key").len().filter(pl.col("len") > 1)
    repeated = repeated.select("event_key").collect(engine="streaming")["event_key"].implode()
    events = pl.concat(
        [
            accepted.lazy().filter(~key.is_in(repeated)),
            accepted.lazy().filter(key.is_in(repeated)).unique("event_key", keep="any"),
        ]
    )
    events = events.drop("event_key").sort("visitor_key", "moment", "sequence")
    events = events.collect(engine="streaming")
    del accepted

    is_first_of_visitor = (pl.col("visitor_key") != pl.col("visitor_key").shift()).fill_null(True)
    gap = (pl.col("moment") - pl.col("moment").shift()).fill_null(0)
    events = events.with_row_index("place").with_columns(
        is_first_of_visitor.alias("is_first_of_visitor"),
        (is_first_of_visitor | (gap > core.TIMEOUT_MICROSECONDS)).cum_sum().alias("visit"),
    )
    sessions = _sessions(events, names)
    orders = _orders(events)

    booked = (
        orders.sort("moment")
        .join_asof(
            sessions.sort("started_at").select("visit", "part", "started_at"),
            left_on="moment",
            right_on="started_at",
            by="visit",
            check_sortedness=False,
        )
        .group_by("visit", "part")
        .agg(pl.len().alias("orders"), pl.col("value").sum())
    )
    key_columns = ["date", "source", "visitor_type"]
    codes = range(1, len(core.MICROS) + 1)
    daily = (
        sessions.join(booked, on=["visit", "part"], how="left")
        .group_by(key_columns)
        .agg(
            pl.len(),
            pl.col("events").sum(),
            *[pl.col(f"first_{code}").count() for code in codes],
            pl.col("orders").sum(),
            pl.col("value").sum(),
        )
    )
    trials = pl.concat(
        sessions.filter(pl.col(f"first_{code}").is_not_null()).select(
            pl.lit(micro).alias("micro"),
            *key_columns,
            "visitor_key",
            pl.col(f"first_{code}").alias("moment"),
            pl.col(f"place_{code}").alias("place"),
        )
        for code, micro in enumerate(core.MICROS, 1)
    )
    firsts = trials.group_by("date", "micro").agg(
        pl.len(),
        (
            pl.col("moment") % core.DAY_MICROSECONDS
            + (pl.col("moment") // core.DAY_MICROSECONDS - _day_number(pl.col("date")))
            * core.DAY_MICROSECONDS
        )
        .sum()
        .alias("since_midnight"),
    )
    following = trials.sort("place").join_asof(
        orders.select("visitor_key", "place", pl.col("moment").alias("ordered_at")).sort("place"),
        on="place",
        by="visitor_key",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    is_success = pl.col("ordered_at") <= pl.col("moment") + core.HORIZON_MICROSECONDS
    rates = following.group_by("micro", "source", "visitor_type").agg(
        pl.len(), is_success.fill_null(False).sum().alias("conversions")
    )
    totals = {
        "accepted": len(events),
        "duplicates": kept - len(events),
        "refused": raw - kept,
        "sessions": len(sessions),
        "orders": len(orders),
    }
    return core.core_of(totals, daily.iter_rows(), firsts.iter_rows(), rates.iter_rows())


def _accepted(rows: pl.LazyFrame) -> pl.DataFrame:
    agents = rows.select(pl.col("user_agent").unique()).collect(engine="streaming")["user_agent"]
    latest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    consent = pl.col("consent_analytics").str.to_lowercase()
    is_order = pl.col("event_name") == core.MACRO
    has_id = _lower("order_id").is_in(list(core.NO_ORDER_ID)).fill_null(True).not_()
    return (
        rows.filter(
            pl.col("visitor_id").is_not_null(),
            pl.col("occurred_at") >= datetime.fromisoformat(core.PROJECT_START),
            pl.col("occurred_at") <= latest,
            ~consent.is_in(list(core.REFUSED_CONSENT)).fill_null(False),
            ~pl.col("user_agent").is_in(core.bots_among(agents)).fill_null(False),
        )
        .select(
            pl.col("event_id").hash().alias("event_key"),
            pl.col("visitor_id").hash().alias("visitor_key"),
            pl.col("occurred_at").dt.epoch("us").alias("moment"),
            pl.col("sequence").cast(pl.Int64),
            _code().cast(pl.UInt8).alias("code"),
            pl.when(_carries_source()).then(_source().hash()).alias("source_key"),
            pl.when(is_order)
            .then(pl.when(has_id).then(pl.col("order_id")).otherwise(pl.col("event_id")).hash())
            .alias("order_key"),
            pl.when(is_order)
            .then((pl.col("value").cast(pl.Float64) * 100).round().cast(pl.Int64))
            .alias("value"),
        )
        .collect(engine="streaming")
    )


def _code() -> pl.Expr:
    name = pl.col("event_name")
    code = pl.when(name == core.MACRO).then(core.MACRO_CODE)
    for number, (event, member, threshold) in enumerate(core.MICROS.values(), 1):
        met: pl.Expr = name == event
        if member:
            # only the rows of the event are parsed
            text = pl.when(met).then(pl.col("properties")).str.json_path_match(f"$.{member}")
            met = (text.cast(pl.Float64, strict=False) >= threshold).fill_null(False)
        code = code.when(met).then(number)
    return code.otherwise(0)


def _lower(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.to_lowercase()


def _known(column: str) -> pl.Expr:
    unknown = _lower(column).is_in(list(core.UNKNOWN_TEXT)).fill_null(True)
    return pl.when(~unknown).then(pl.col(column).str.strip_chars())


def _carries_source() -> pl.Expr:
    return pl.any_horizontal(
        pl.col("gclid").is_not_null(),
        *[_known(column).is_not_null() for column in ("source", "medium", "campaign")],
    )


def _source() -> pl.Expr:
    source, medium = _known("source"), _known("medium")
    repaired = pl.col("gclid").is_not_null() & (
        source.is_null() | (medium.str.to_lowercase() == "organic").fill_null(False)
    )
    return pl.when(repaired).then(pl.lit("google")).otherwise(source.fill_null("(direct)"))


def _source_names(rows: pl.LazyFrame) -> pl.DataFrame:
    names = (
        rows.filter(_carries_source())
        .select(_source().alias("source"))
        .unique()
        .collect(engine="streaming")
    )
    return names.with_columns(pl.col("source").hash().alias("source_key"))


def _sessions(events: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    sessions = _grouped(events.with_columns(pl.lit(0, pl.Int64).alias("part")), ["visit"])
    is_long = pl.col("ended_at") - pl.col("started_at") >= core.MAXIMUM_MICROSECONDS
    long = sessions.filter(is_long).select("visit", "started_at")
    if len(long):
        # few: only their events are cut at every full maximum after the start
        parts = events.join(long, on="visit").with_columns(
            ((pl.col("moment") - pl.col("started_at")) // core.MAXIMUM_MICROSECONDS).alias("part")
        )
        sessions = pl.concat([sessions.filter(~is_long), _grouped(parts, ["visit", "part"])])
    is_new = pl.col("is_first") & (pl.col("part") == 0)
    return sessions.join(names, on="source_key", how="left").with_columns(
        pl.from_epoch("started_at", "us").dt.date().alias("date"),
        pl.col("source").fill_null("(direct)"),
        pl.when(is_new).then(pl.lit("new")).otherwise(pl.lit("returning")).alias("visitor_type"),
    )


def _grouped(events: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    firsts: list[pl.Expr] = []
    for code in range(1, len(core.MICROS) + 1):
        met = pl.col("code") == code
        firsts += [
            pl.col("moment").filter(met).min().alias(f"first_{code}"),
            pl.col("place").filter(met).min().alias(f"place_{code}"),
        ]
    aggregates = [
        pl.col("visitor_key").first(),
        pl.col("moment").min().alias("started_at"),
        pl.col("moment").max().alias("ended_at"),
        pl.len().alias("events"),
        pl.col("is_first_of_visitor").any().alias("is_first"),
        # groups keep the order of the sorted events
        pl.col("source_key").drop_nulls().first(),
        *firsts,
    ]
    if "part" not in by:
        aggregates.insert(0, pl.col("part").first())
    columns = ["visit", "part"]
    grouped = events.lazy().group_by(by).agg(*aggregates)
    return grouped.select(*columns, pl.exclude(columns)).collect()


def _orders(events: pl.DataFrame) -> pl.DataFrame:
    """The earliest purchase of each order id, over all visitors."""
    return (
        events.filter(pl.col("code") == core.MACRO_CODE)
        .sort("moment", "sequence")
        .unique("order_key", keep="first", maintain_order=True)
        .select("place", "visit", "visitor_key", "moment", "value")
    )


def _day_number(date: pl.Expr) -> pl.Expr:
    return date.cast(pl.Int32).cast(pl.Int64)


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.references.core_polars")
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    given = parser.parse_args(arguments)
    core.write(compute(given.folder), given.result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
