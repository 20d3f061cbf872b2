"""The last days beside as many before: figures, channels and the funnel.

Belongs here: sums of what the daily marts have, and ratios of these sums. Does not belong here:
where the lines of the plot lie (day_plot.py), any number that no mart has.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import duckdb

from orchestration.dashboard.asked import DAYS, Asked
from orchestration.dashboard.day_plot import DayPlot, day_plot
from orchestration.dashboard.rows import Rows, expect, rows_of, top
from orchestration.dashboard.wording import change
from orchestration.report import TIERS, funnel_counts, funnel_sums, over

# of as many days before, and these
HALVES = (slice(0, DAYS), slice(DAYS, None))
# rows of a table; what is beyond them is counted, and its mart named
MOST_APART = 5
MOST_CHANNELS = 20


def days_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Sums of the last days and of as many before, their ratios, and each day."""
    if asked.day is None:
        expect(connection, "mart_daily_values")
        return {"days": [], "figures": [], "plots": []}
    found = {
        row["date"]: row
        for row in rows_of(
            connection,
            """
            select
                date, sum(sessions) as sessions, sum(cost) as cost, sum(revenue) as revenue,
                sum(expected_revenue) as expected_revenue,
                bool_or(value_version = '(prior)' and sessions > 0) as is_prior,
                max(value_version) filter (where sessions > 0) as value_version
            from marts.mart_daily_values
            where date between ? and ?
            group by date
            """,
            [asked.first_before, asked.day],
        )
    }
    none = {"sessions": None, "cost": None, "revenue": None, "expected_revenue": None}
    calendar = [asked.first_before + timedelta(days=n) for n in range(2 * DAYS)]
    days = [{"date": day, **(found.get(day) or none)} for day in calendar]
    now, before = _sums(days[DAYS:]), _sums(days[:DAYS])
    shown = {"cost": "Cost", "revenue": "Revenue", "expected_revenue": "Expected revenue"}
    if not asked.has_spend:
        del shown["cost"]
    series = {title: [day[column] for day in days] for column, title in shown.items()}
    return {
        "days": days,
        "figures": _figures(now, before, asked.has_spend, _is_of_one_kind(days)),
        "without_rows": [sum(day["sessions"] is None for day in days[part]) for part in HALVES],
        "prior_days": [sum(bool(day.get("is_prior")) for day in days[part]) for part in HALVES],
        "new_versions": _new_versions(days),
        "plots": _plots(calendar, series),
        "names": list(series),
    }


def _is_of_one_kind(days: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the configured weights value all of the days that have sessions, or none."""
    return len({bool(day["is_prior"]) for day in days if day["sessions"]}) < 2


def _new_versions(days: Iterable[Mapping[str, Any]]) -> Rows:
    """The days from which on another version than before values them, the configured weights
    aside."""
    valued_days = [day for day in days if day.get("value_version") not in (None, "(prior)")]
    return [
        {"date": day["date"], "version": day["value_version"], "before": past["value_version"]}
        for past, day in pairwise(valued_days)
        if day["value_version"] != past["value_version"]
    ]


def _plots(days: Sequence[date], series: Mapping[str, Sequence[float | None]]) -> list[DayPlot]:
    """For a screen, and for a telephone, where a wide one's letters would be too small."""
    plots = (day_plot(days, series, *size) for size in ((960, 280), (360, 240)))
    return [plot for plot in plots if plot is not None]


def _sums(days: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """expected_money: expected revenue, none where configured weights made any of it: these rank,
    and are no money to set beside cost or beside what a version says."""
    days = list(days)
    sums = {
        column: _sum(day[column] for day in days)
        for column in ("sessions", "cost", "revenue", "expected_revenue")
    }
    is_money = not any(day.get("is_prior") for day in days)
    return {**sums, "expected_money": sums["expected_revenue"] if is_money else None}


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _figures(
    now: Mapping[str, float | None],
    before: Mapping[str, float | None],
    has_spend: bool,
    is_of_one_kind: bool,
) -> Rows:
    """Title, kind of number, the two values and the change of each figure. is_of_one_kind: the
    expected revenue of the two, which has no change otherwise."""
    listed = [("Sessions", "count", lambda of: of["sessions"])]
    if has_spend:
        listed.append(("Cost", "money", lambda of: of["cost"]))
    listed += [
        ("Revenue", "money", lambda of: of["revenue"]),
        ("Expected revenue", "money", lambda of: of["expected_revenue"]),
    ]
    if has_spend:
        listed += [
            ("ROAS", "ratio", lambda of: over(of["revenue"], of["cost"])),
            ("PNO", "percent", lambda of: over(of["cost"], of["revenue"])),
            ("Value ROAS", "ratio", lambda of: over(of["expected_money"], of["cost"])),
        ]
    return [
        {
            "title": title,
            "kind": kind,
            "now": value(now),
            "before": value(before),
            "change": change(value(now), value(before))
            if is_of_one_kind or title != "Expected revenue"
            else None,
        }
        for title, kind, value in listed
    ]


def channels_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """The last days per channel, and all of them together; apart: channels with the cost of
    campaigns whose sessions all stand in others."""
    if asked.day is None:
        expect(connection, "mart_daily_values")
        return {"total": None, "apart": top([], MOST_APART), **top([], MOST_CHANNELS)}
    rows = rows_of(
        connection,
        """
        select
            channel_group, grouping(channel_group) as is_total,
            sum(sessions) as sessions, sum(macro_conversions) as macro_conversions,
            sum(cost) as cost, sum(revenue) as revenue, sum(expected_revenue) as expected_revenue,
            bool_or(value_version = '(prior)' and sessions > 0) as is_prior
        from marts.mart_daily_values
        where date between ? and ?
        group by rollup (channel_group)
        order by sum(sessions) desc nulls last, channel_group
        """,
        [asked.first, asked.day],
    )
    for row in rows:
        row["roas"] = over(row["revenue"], row["cost"])
        row["pno"] = over(row["cost"], row["revenue"])
        expected_money = None if row["is_prior"] else row["expected_revenue"]
        row["value_roas"] = over(expected_money, row["cost"])
    total = next((row for row in rows if row["is_total"]), None)
    return {
        "total": total,
        "apart": top(_apart(connection, asked), MOST_APART),
        **top([row for row in rows if not row["is_total"]], MOST_CHANNELS),
    }


def _apart(connection: duckdb.DuckDBPyConnection, asked: Asked) -> list[str]:
    """Spend stands in the channel of most sessions of its source, medium and campaign; here they
    name another source or medium."""
    rows = rows_of(
        connection,
        """
        with days as (
            select * from marts.mart_daily_values where date between ? and ?
        ),

        campaigns_met as (
            select campaign
            from days
            where campaign <> '(not set)'
            group by campaign
            having sum(sessions) > 0
        ),

        channels as (
            select
                days.channel_group, sum(days.cost) as cost, sum(days.sessions) as sessions,
                bool_or(days.cost > 0 and campaigns_met.campaign is not null) as is_met_elsewhere
            from days
            left join campaigns_met using (campaign)
            group by days.channel_group
        )

        select channel_group
        from channels
        where cost > 0 and sessions = 0 and is_met_elsewhere
        order by cost desc, channel_group
        """,
        [asked.first, asked.day],
    )
    return [row["channel_group"] for row in rows]


def funnel_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Impressions to macro-conversions of the last days, as the report shows those of all days."""
    if asked.day is None:
        expect(connection, "mart_daily_funnels")
        return {"steps": []}
    row = funnel_sums(connection, asked.first, asked.day)
    if row[0] is None:
        return {"steps": []}
    impressions, clicks, sessions, having, reached = funnel_counts(row)
    steps = []
    if impressions or clicks:
        steps.append(_step("Ad impressions", None, impressions, None, None))
        steps.append(_step("Ad clicks", None, clicks, over(clicks, impressions), None))
    # sessions come from all channels, so they are no share of what ads brought
    steps.append(_step("Sessions, all channels", None, sessions, None, over(sessions, sessions)))
    before = sessions
    for tier, at_all, in_order in zip(TIERS, having, reached, strict=True):
        title = "Macro-conversion" if tier == "macro" else f"{tier.capitalize()} micro-conversion"
        share = over(in_order, before)
        steps.append(_step(title, at_all, in_order, share, over(in_order, sessions)))
        before = in_order
    return {"steps": steps}


def _step(
    title: str, at_all: int | None, reached: int, of_before: float | None, of_all: float | None
) -> dict[str, Any]:
    return {
        "title": title,
        "at_all": at_all,
        "reached": reached,
        "of_before": of_before,
        "of_sessions": of_all,
    }
