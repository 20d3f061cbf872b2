"""The page over what is published, serving/dashboard.html: one file, nothing from elsewhere.

Belongs here: what the page shows, read from the serving file and from nothing else, its numbers as
text, and bringing the page to its place in one step. Does not belong here: how it looks
(dashboard.html.j2), where the lines of its plot lie (day_plot.py), any number that no mart has.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.alerts import warnings_in
from orchestration.day_plot import DayPlot, day_plot
from orchestration.demo import RECORD, SIMULATED
from orchestration.disk import has_no_room, to_disk
from orchestration.errors import IntentMapError, first_line
from orchestration.locking import writer_lock
from orchestration.one_line import one_line
from orchestration.policy import effective_vars
from orchestration.publishing import UNFINISHED
from orchestration.quarters import first_day_of_quarter, next_quarter
from orchestration.report import (
    FIRST_DAY,
    TIERS,
    VALUES_NO_SESSION,
    Restated,
    funnel_counts,
    funnel_sums,
    latest_version,
    over,
    published_file,
    restated,
    valued,
)
from orchestration.report import money as money_in_report
from orchestration.report import percent as percent_in_report
from orchestration.settings import DASHBOARD_FILE, Settings

TEMPLATE = "dashboard.html.j2"
ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
DAYS = 28
# of as many days before, and these
HALVES = (slice(0, DAYS), slice(DAYS, None))
STALE_DAYS = 2
# rows of a table; what is beyond them is counted, and its mart named
MOST_ACTS = 12
MOST_UNMET = 5
MOST_CHANNELS = 20
MOST_MICROS = 60
MOST_VERSIONS = 6
MOST_SOURCES = 12
MOST_REASONS = 8
LONGEST_NAME = 120
LONGEST_TEXT = 400

Rows = list[dict[str, Any]]
Section = Callable[[duckdb.DuckDBPyConnection, "Asked"], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """What the sections speak of. day: the newest that is over and has sessions, None without any
    row; restated: of the version, None as first written; has_spend: any cost in the days shown;
    has_sessions: any on a day that is over, so that `day` is such a day; values_no_session: the
    version, as no revenue came of settled sessions before it; first_version: the day of the first
    one, where nothing happened before the quarter that is going on."""

    day: date | None
    version: tuple[str, date] | None
    restated: Restated | None
    has_spend: bool
    has_sessions: bool
    values_no_session: bool
    first_version: date | None

    @property
    def first(self) -> date:
        """First of the last days, day included."""
        return self.day - timedelta(days=DAYS - 1)

    @property
    def first_before(self) -> date:
        """First of as many days before these."""
        return self.day - timedelta(days=2 * DAYS - 1)


def write_dashboard(settings: Settings, report: Callable[[str], None] = print) -> Path:
    """Write the page over what is published; returns where.

    Raises IntentMapError when nothing is published, it cannot be read, or the page cannot be
    written; what is published, and the page before, are then as they were.
    """
    published_file(settings)
    path = settings.serving / DASHBOARD_FILE
    part = path.with_name(DASHBOARD_FILE + UNFINISHED)
    with writer_lock(settings, "dashboard", report=report):
        page = page_of(settings)
        try:
            part.write_text(page, encoding="utf-8", errors="replace")
            to_disk(part)
            part.replace(path)
            to_disk(path.parent)
        except OSError as error:
            reason = "the disk is full" if has_no_room(settings.home) else error.strerror or error
            raise IntentMapError(
                f"The page {path} could not be written: {reason}. The tables are published all the "
                "same; intent-map dashboard writes the page when the reason is gone."
            ) from error
        finally:
            part.unlink(missing_ok=True)
    report(f"Wrote the dashboard: {path}")
    return path


def page_of(settings: Settings, now: datetime | None = None) -> str:
    """The page as HTML. now: the moment that it speaks of, this one by default."""
    served = published_file(settings)
    values = effective_vars(settings)
    now = (now or datetime.now(UTC)).astimezone(ZoneInfo(values["reporting_time_zone"]))
    try:
        with duckdb.connect(str(served), read_only=True) as connection:
            asked = _asked(connection, now.date())
            shown = {
                name: _guarded(section, connection, asked) for name, section in SECTIONS.items()
            }
            published_at = _published_at(connection)
    except duckdb.Error as error:
        raise IntentMapError(f"{served} cannot be read: {first_line(error)}") from error

    def here(moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(now.tzinfo)

    return _rendered(
        asked=asked,
        today=now.date(),
        published_at=here(published_at) if published_at else None,
        restated_on=here(asked.restated.moment).date() if asked.restated else None,
        currency=values["reporting_currency"],
        zone=values["reporting_time_zone"],
        simulated=SIMULATED if (settings.home / RECORD).exists() else None,
        days=DAYS,
        stale_days=STALE_DAYS,
        **shown,
    )


def _rendered(**shown: Any) -> str:
    # a third of what the page costs, and nothing else here needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": count,
        "money": money,
        "percent": percent,
        "signed": signed_money,
        "ratio": ratio,
        "name": name,
        "words": words,
    }
    return environment.get_template(TEMPLATE).render(**shown)


def _asked(connection: duckdb.DuckDBPyConnection, today: date) -> Asked:
    try:
        with_sessions, with_any = connection.execute(
            "select max(date) filter (where sessions > 0), max(date) "
            "from marts.mart_daily_values where date < ?",
            [today],
        ).fetchone()
        day, has_sessions = with_sessions or with_any, with_sessions is not None
        has_spend = day is not None and bool(
            connection.execute(
                "select count(*) from marts.mart_daily_values where date between ? and ? "
                "and cost <> 0",
                [day - timedelta(days=2 * DAYS - 1), day],
            ).fetchone()[0]
        )
    except (duckdb.CatalogException, duckdb.BinderException):
        day, has_spend, has_sessions = None, False, False
    try:
        version = latest_version(connection)
    except (duckdb.CatalogException, duckdb.BinderException):
        version = None
    return Asked(
        day,
        version,
        restated(connection, version),
        has_spend,
        has_sessions,
        _values_no_session(connection, version),
        _first_version(connection, today),
    )


def _values_no_session(
    connection: duckdb.DuckDBPyConnection, version: tuple[str, date] | None
) -> bool:
    if version is None or version[0].startswith("("):
        return False
    return bool(
        connection.execute(
            f"select {VALUES_NO_SESSION} from marts.mart_micro_values where value_version = ?",
            [version[0]],
        ).fetchone()[0]
    )


def _first_version(connection: duckdb.DuckDBPyConnection, today: date) -> date | None:
    try:
        (first,) = connection.execute(FIRST_DAY).fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    quarter = first_day_of_quarter(today)
    return next_quarter(quarter) if first is not None and first >= quarter else None


def _published_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    try:
        return connection.execute("select max(published_at) from marts.publication").fetchone()[0]
    except duckdb.CatalogException:
        return None


def _guarded(
    section: Section, connection: duckdb.DuckDBPyConnection, asked: Asked
) -> dict[str, Any]:
    """What the section shows; left_out says why when the serving file lacks what it reads."""
    try:
        return {"left_out": None, **section(connection, asked)}
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        return {"left_out": first_line(error)}


def warnings_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """The early warnings of the newest dates, most money first."""
    newest = connection.execute("select max(date) from marts.mart_early_warnings").fetchone()[0]
    found = sorted(warnings_in(connection), key=lambda one: -(one.money_at_risk or 0))
    return {"newest": newest, **_top(found, MOST_ACTS)}


def budgets_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Campaigns of the newest complete week whose budget should move; unmet: those that no session
    names."""
    week = connection.execute(
        "select max(week) from marts.mart_campaign_returns where is_complete"
    ).fetchone()[0]
    rows = _rows(
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
        "unmet": _top(_unmet(connection, asked), MOST_UNMET),
        **_top(rows, MOST_ACTS),
    }


def _unmet(connection: duckdb.DuckDBPyConnection, asked: Asked) -> Rows:
    """Campaigns with cost in the last days that no session of them names: links and spend may spell
    them in two ways. None where no session has come at all."""
    if not asked.has_sessions:
        return []
    return _rows(
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
        _expect(connection, "mart_bidding_targets")
        return {"unlisted": 0, **_top([], MOST_ACTS)}
    rows = _rows(
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
    return {"unlisted": unlisted, **_top(rows, MOST_ACTS)}


def leaks_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Steps at which fewer go on than before, most money first."""
    # what is lost is null where nobody reached the step in one of the two periods
    looked_at, compared, day = connection.execute(
        "select count(*), count(lost), max(date) from marts.mart_funnel_leaks"
    ).fetchone()
    rows = _rows(
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
    return {"looked_at": looked_at, "compared": compared, "day": day, **_top(rows, MOST_ACTS)}


def micro_health_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Micro-conversions of the newest version that are not to be kept as they are."""
    version = asked.version[0] if asked.version else None
    rows = _rows(
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
    return {"judged": judged, "several": _several(rows), **_top(rows, MOST_ACTS)}


def days_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """Sums of the last days and of as many before, their ratios, and each day."""
    if asked.day is None:
        _expect(connection, "mart_daily_values")
        return {"days": [], "figures": [], "plots": []}
    found = {
        row["date"]: row
        for row in _rows(
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
        _expect(connection, "mart_daily_values")
        return {"total": None, "apart": _top([], MOST_UNMET), **_top([], MOST_CHANNELS)}
    rows = _rows(
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
        "apart": _top(_apart(connection, asked), MOST_UNMET),
        **_top([row for row in rows if not row["is_total"]], MOST_CHANNELS),
    }


def _apart(connection: duckdb.DuckDBPyConnection, asked: Asked) -> list[str]:
    """Spend stands in the channel of most sessions of its source, medium and campaign; here they
    name another source or medium."""
    rows = _rows(
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
        _expect(connection, "mart_daily_funnels")
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


def micros_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """The newest version over all segments, with the change from the version before."""
    if asked.version is None:
        _expect(connection, "mart_micro_values")
        return {"several": False, "widest": 1.0, "previous": None, **_top([], MOST_MICROS)}
    rows = [_plain(row) for row in valued(connection, asked.version[0], "(all)", "(all)")]
    changes = {
        (row["micro_conversion"], row["macro_conversion"]): row
        for row in _rows(
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
        "several": _several(rows),
        "widest": max(bounds, default=0) or 1.0,
        "previous": next((row["previous_version"] for row in changes.values()), None),
        **_top(rows, MOST_MICROS),
    }


def backtest_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """How well each version foretold revenue, newest first."""
    rows = _rows(
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
    return _top(rows, MOST_VERSIONS)


def audit_section(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    """What became of raw rows per source since the first of the last days, and why refused;
    unrated: those with money in a currency without a rate."""
    newest = connection.execute("select max(date) from marts.mart_event_audit").fetchone()[0]
    if newest is None:
        none = {"since": None, "unrated": 0, "reasons": _top([], MOST_REASONS)}
        return {**none, **_top([], MOST_SOURCES)}
    since = asked.first if asked.day is not None else newest - timedelta(days=DAYS - 1)
    rows = _rows(
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
    (sums,) = _rows(
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
        "reasons": _top(reasons, MOST_REASONS),
        **_top(rows, MOST_SOURCES),
    }


SECTIONS: dict[str, Section] = {
    "warnings": warnings_section,
    "budgets": budgets_section,
    "bids": bids_section,
    "leaks": leaks_section,
    "micro_health": micro_health_section,
    "last_days": days_section,
    "channels": channels_section,
    "funnel": funnel_section,
    "micros": micros_section,
    "backtest": backtest_section,
    "audit": audit_section,
}


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Rows:
    cursor = connection.execute(query, list(values))
    names = [column[0] for column in cursor.description]
    return [_plain(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Decimals as numbers, and what is no number as none."""
    plain = {}
    for column, value in row.items():
        if isinstance(value, Decimal):
            value = float(value)
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        plain[column] = value
    return plain


def _expect(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    """Raise duckdb.CatalogException where the mart is missing, which is not the same as empty."""
    connection.execute(f"select 1 from marts.{mart} limit 0")


def _top(rows: Sequence[Any], most: int) -> dict[str, Any]:
    """The first rows, and how many there are beyond."""
    return {"rows": list(rows[:most]), "more": max(0, len(rows) - most), "all": len(rows)}


def _several(rows: Rows) -> bool:
    return len({row["macro_conversion"] for row in rows}) > 1


def change(now: float | None, before: float | None) -> str | None:
    """By how much of what was there before, with its sign; none where that says nothing."""
    share = over(now, before)
    if share is None:
        return None
    text = f"{100 * (share - 1):+,.1f} %"
    return "\N{PLUS-MINUS SIGN}0.0 %" if text in ("+0.0 %", "-0.0 %") else text.replace("-", MINUS)


def count(value: float | None) -> str:
    return ABSENT if value is None else f"{value:z,.0f}".replace("-", MINUS)


def money(value: float | None) -> str:
    return ABSENT if value is None else money_in_report(value).replace("-", MINUS)


def signed_money(value: float | None) -> str:
    text = money(value)
    return f"+{text}" if value is not None and value > 0 and text != "0.00" else text


def percent(value: float | None) -> str:
    """A share, 0 to 1, as the report writes it."""
    return ABSENT if value is None else percent_in_report(value, 1).replace("-", MINUS)


def ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{value:z,.2f}".replace("-", MINUS)


def name(value: Any) -> str:
    """Text that came with the data, on one line and of bounded length."""
    return _bounded(value, LONGEST_NAME)


def words(value: Any) -> str:
    """A sentence of a mart, or a name of the project's own as words."""
    text = _bounded(value, LONGEST_TEXT)
    return text if " " in text else text.replace("_", " ")


def _bounded(value: Any, longest: int) -> str:
    return ABSENT if value is None else one_line(value, longest)
