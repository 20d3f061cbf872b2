"""What micro-conversions are worth, and how far to trust it: the values, the backtest, the audit.

Belongs here: the rows of these sections. Does not belong here: how a value is computed (its model),
any number that no mart has.
"""

from datetime import timedelta
from typing import Any

import duckdb

from orchestration.dashboard.asked import DAYS, Asked
from orchestration.dashboard.rows import expect, plain, rows_of, several, top
from orchestration.report import over, valued

# rows of a table; what is beyond them is counted, and its mart named
MOST_MICROS = 60
MOST_VERSIONS = 6
MOST_SOURCES = 12
MOST_REASONS = 8


def micros_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """The newest version over all segments, with the change from the version before."""
    if asked.version is None:
        expect(connection, "mart_micro_values")
        return {"several": False, "widest": 1.0, "previous": None, **top([], MOST_MICROS)}
    rows = [plain(row) for row in valued(connection, asked.version[0], "(all)", "(all)")]
    changes = {
        (row["micro_conversion"], row["macro_conversion"]): row
        for row in rows_of(
            connection,
            """
            select micro_conversion, macro_conversion, previous_version, change, main_reason
            from marts.mart_value_changes
            where
                value_version = ? and previous_version <> value_version
                and intent_class = '(all)' and visitor_type = '(all)'
            """,
            [asked.version[0]],
        )
    }
    for row in rows:
        changed = changes.get((row["micro_conversion"], row["macro_conversion"]), {})
        row["change"] = changed.get("change")
        row["main_reason"] = changed.get("main_reason")
    bounds = [row["probability_upper"] or row["probability"] or 0 for row in rows]
    return {
        "several": several(rows),
        "widest": max(bounds, default=0) or 1.0,
        "previous": next((row["previous_version"] for row in changes.values()), None),
        **top(rows, MOST_MICROS),
    }


def backtest_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """How well each version foretold revenue, newest first."""
    rows = rows_of(
        connection,
        """
        select
            value_version, channel_weeks, expected_revenue, realised_revenue, calibration_slope,
            weeks_ranked, rank_correlation_value, rank_correlation_revenue_to_date,
            rank_correlation_sessions
        from marts.mart_value_backtest_summary
        order by value_version desc
        """,
    )
    for row in rows:
        row["calibration"] = over(row["expected_revenue"], row["realised_revenue"])
    return top(rows, MOST_VERSIONS)


def audit_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """What became of raw rows per source since the first of the last days, and why refused;
    unrated: those with money in a currency without a rate."""
    newest = connection.execute("select max(date) from marts.mart_event_audit").fetchone()[0]
    if newest is None:
        none = {"since": None, "unrated": 0, "reasons": top([], MOST_REASONS)}
        return {**none, **top([], MOST_SOURCES)}
    since = asked.first if asked.day is not None else newest - timedelta(days=DAYS - 1)
    rows = rows_of(
        connection,
        """
        select
            source_system, sum(raw) as raw, sum(accepted) as accepted,
            sum(duplicate) as duplicate, sum(refused) as refused,
            sum(incomplete) as incomplete, sum(late) as late
        from marts.mart_event_audit
        where date >= ?
        group by source_system
        having sum(raw) > 0
        order by sum(raw) desc, source_system
        """,
        [since],
    )
    for row in rows:
        row["refused_share"] = over(row["refused"], row["raw"])
    (sums,) = rows_of(
        connection,
        "select sum(columns('refused_.*')) from marts.mart_event_audit where date >= ?",
        [since],
    ) or [{}]
    reasons = [
        {"reason": column.removeprefix("refused_"), "rows": number}
        for column, number in sorted(sums.items(), key=lambda item: (-(item[1] or 0), item[0]))
        if number
    ]
    return {
        "since": since,
        "unrated": sums.get("refused_currency_without_rate") or 0,
        "reasons": top(reasons, MOST_REASONS),
        **top(rows, MOST_SOURCES),
    }
