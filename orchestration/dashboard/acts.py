"""What needs an act today: tags, budgets, bids, leaks, and micro-conversions to look at again.

Belongs here: the rows of these sections, from marts of decisions alone. Does not belong here: why a
mart recommends what it does (its model), any number that no mart has.
"""

from typing import Any

import duckdb

from orchestration.alerts import warnings_in
from orchestration.dashboard.asked import Asked
from orchestration.dashboard.rows import Rows, expect, rows_of, several, top
from orchestration.report import over

# rows of a table; what is beyond them is counted, and its mart named
MOST_ACTS = 12
MOST_UNMET = 5


def warnings_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """The early warnings of the newest dates, most money first."""
    newest = connection.execute("select max(date) from marts.mart_early_warnings").fetchone()[0]
    found = sorted(warnings_in(connection), key=lambda one: -(one.money_at_risk or 0))
    return {"newest": newest, **top(found, MOST_ACTS)}


def budgets_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Campaigns of the newest complete week whose budget should move; unmet: those that no session
    names."""
    week = connection.execute(
        "select max(week) from marts.mart_campaign_returns where is_complete"
    ).fetchone()[0]
    rows = rows_of(
        connection,
        """
        select
            campaign, recommendation, cost, value, value_roas, roas,
            marginal_roas, marginal_roas_lower, marginal_roas_upper, reason
        from marts.mart_campaign_returns
        where week = ? and recommendation in ('raise', 'lower')
        order by cost desc, campaign
        """,
        [week],
    )
    others = connection.execute(
        """
        select recommendation, count(*)
        from marts.mart_campaign_returns
        where week = ? and recommendation not in ('raise', 'lower') and cost <> 0
        group by recommendation
        order by recommendation
        """,
        [week],
    ).fetchall()
    return {
        "week": week,
        "others": others,
        "unmet": top(_unmet(connection, asked), MOST_UNMET),
        **top(rows, MOST_ACTS),
    }


def _unmet(connection: duckdb.DuckDBPyConnection, asked: Asked) -> Rows:
    """Campaigns with cost in the last days that no session of them names: links and spend may spell
    them in two ways. None where no session has come at all."""
    if not asked.has_sessions:
        return []
    return rows_of(
        connection,
        """
        select campaign, sum(cost) as cost
        from marts.mart_daily_values
        where date between ? and ? and campaign <> '(not set)'
        group by campaign
        having sum(cost) > 0 and sum(sessions) = 0
        order by cost desc, campaign
        """,
        [asked.first, asked.day],
    )


def bids_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Campaigns whose newest row within the last days asks for another target, or is a trap;
    unlisted: how many with spend are not said to bid on anything."""
    if asked.day is None:
        expect(connection, "mart_bidding_targets")
        return {"unlisted": 0, **top([], MOST_ACTS)}
    rows = rows_of(
        connection,
        """
        with newest as (
            select *
            from marts.mart_bidding_targets
            where date between ? and ?
            qualify row_number() over (partition by campaign order by date desc) = 1
        )

        select
            campaign, date, current_target, recommended_target, is_left_on_micro, is_trap,
            macro_conversions_30d, reason
        from newest
        where is_trap or is_left_on_micro or current_target <> recommended_target
        order by is_trap desc, is_left_on_micro desc, macro_conversions_30d desc, campaign
        """,
        [asked.first, asked.day],
    )
    # roas_28d is null without cost: a newsletter bids on nothing
    unlisted = connection.execute(
        "select count(distinct campaign) from marts.mart_bidding_targets "
        "where date between ? and ? and current_target is null and roas_28d is not null",
        [asked.first, asked.day],
    ).fetchone()[0]
    return {"unlisted": unlisted, **top(rows, MOST_ACTS)}


def leaks_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Steps at which fewer go on than before, most money first."""
    # what is lost is null where nobody reached the step in one of the two periods
    looked_at, compared, day = connection.execute(
        "select count(*), count(lost), max(date) from marts.mart_funnel_leaks"
    ).fetchone()
    rows = rows_of(
        connection,
        """
        select
            funnel, channel_group, event_name, next_event_name,
            entered, continued, entered_before, continued_before,
            lost, money_lost, is_biggest_leak, usual_cause
        from marts.mart_funnel_leaks
        where is_leak
        order by money_lost desc nulls last, funnel, step_number, channel_group
        """,
    )
    for row in rows:
        row["rate"] = over(row["continued"], row["entered"])
        row["rate_before"] = over(row["continued_before"], row["entered_before"])
    return {"looked_at": looked_at, "compared": compared, "day": day, **top(rows, MOST_ACTS)}


def micro_health_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Micro-conversions of the newest version that are not to be kept as they are."""
    version = asked.version[0] if asked.version else None
    rows = rows_of(
        connection,
        """
        select
            micro_conversion, macro_conversion, recommendation, reason, explanation, trials, lift
        from marts.mart_micro_conversion_health
        where value_version = ? and recommendation <> 'keep'
        order by recommendation = 'drop' desc, trials desc, micro_conversion, macro_conversion
        """,
        [version],
    )
    judged = connection.execute(
        "select count(*) from marts.mart_micro_conversion_health where value_version = ?", [version]
    ).fetchone()[0]
    return {"judged": judged, "several": several(rows), **top(rows, MOST_ACTS)}
