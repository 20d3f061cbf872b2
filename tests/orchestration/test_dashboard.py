"""The dashboard says what the published marts hold, whatever stands in them, in one safe file."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
import yaml

from orchestration import cli, dashboard
from orchestration.dashboard import page_of
from orchestration.dashboard.day_plot import day_plot, tick_label, ticks_over
from orchestration.dashboard.wording import (
    change,
    count,
    money,
    name,
    percent,
    ratio,
    signed_money,
)
from orchestration.errors import IntentMapError
from orchestration.report import over
from orchestration.settings import DASHBOARD_FILE, PROJECT_ROOT, SERVING_FILE, Settings

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
DAY = date(2026, 11, 29)
NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
HOSTILE = "<script>alert(1)</script>"

MARTS = {
    "publication": "run_id varchar, published_at timestamp, table_name varchar",
    "mart_daily_values": """
        date date, channel_group varchar, campaign varchar, sessions bigint,
        macro_conversions bigint, revenue decimal(18, 4), expected_revenue decimal(18, 4),
        cost decimal(18, 4), value_version varchar
    """,
    "mart_daily_funnels": """
        date date, impressions bigint, clicks bigint, sessions bigint,
        soft_sessions bigint, medium_sessions bigint, hard_sessions bigint, macro_sessions bigint,
        reached_soft bigint, reached_medium bigint, reached_hard bigint, reached_macro bigint
    """,
    "mart_early_warnings": """
        date date, micro_conversion varchar, channel_group varchar, sessions bigint,
        expected_rate double, actual_rate double, warning varchar, severity varchar,
        money_at_risk decimal(18, 4), reason varchar
    """,
    "mart_campaign_returns": """
        week date, campaign varchar, is_complete boolean, cost decimal(18, 4),
        value decimal(18, 4), roas double, value_roas double, marginal_roas double,
        marginal_roas_lower double, marginal_roas_upper double, recommendation varchar,
        reason varchar
    """,
    "mart_bidding_targets": """
        date date, campaign varchar, macro_conversions_30d bigint, current_target varchar,
        recommended_target varchar, is_left_on_micro boolean, is_trap boolean, roas_28d double,
        reason varchar
    """,
    "mart_funnel_leaks": """
        date date, funnel varchar, step_number integer, channel_group varchar, event_name varchar,
        next_event_name varchar, entered bigint, continued bigint, entered_before bigint,
        continued_before bigint, lost double, money_lost decimal(18, 4), is_leak boolean,
        is_biggest_leak boolean, usual_cause varchar
    """,
    "mart_micro_conversion_health": """
        value_version varchar, micro_conversion varchar, macro_conversion varchar,
        recommendation varchar, reason varchar, explanation varchar, trials bigint, lift double
    """,
    "mart_micro_values": """
        value_version varchar, micro_conversion varchar, macro_conversion varchar,
        intent_class varchar, visitor_type varchar, valid_from date, probability double,
        tier_weight double, incremental_value decimal(18, 4), value decimal(18, 4),
        guardrail varchar
    """,
    "mart_conversion_probabilities": """
        value_version varchar, micro_conversion varchar, macro_conversion varchar,
        intent_class varchar, visitor_type varchar, trials bigint, probability double,
        probability_lower double, probability_upper double, lift double, verdict varchar
    """,
    "mart_value_changes": """
        value_version varchar, previous_version varchar, micro_conversion varchar,
        macro_conversion varchar, intent_class varchar, visitor_type varchar,
        change decimal(18, 4), main_reason varchar
    """,
    "mart_value_history": """
        value_version varchar, restatement integer, micro_conversion varchar,
        known_from timestamp, reason varchar
    """,
    "mart_value_backtest_summary": """
        value_version varchar, channel_weeks bigint, expected_revenue decimal(18, 4),
        realised_revenue decimal(18, 4), calibration_slope double, weeks_ranked bigint,
        rank_correlation_value double, rank_correlation_revenue_to_date double,
        rank_correlation_sessions double
    """,
    "mart_event_audit": """
        date date, source_system varchar, raw bigint, accepted bigint, duplicate bigint,
        refused bigint, refused_bot bigint, refused_no_visitor bigint,
        refused_currency_without_rate bigint, incomplete bigint, late bigint
    """,
}
# they have no section of their own
OF_THE_HEADING = ("publication", "mart_value_history")
EMPTY = "create schema marts;" + "".join(
    f"create table marts.{mart} ({columns});" for mart, columns in MARTS.items()
)
ALL = {"intent_class": "(all)", "visitor_type": "(all)"}


class Page(HTMLParser):
    """The text by element, and what is wrong with the tags."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, html):
        super().__init__()
        self.open, self.faults, self.rows, self.tables = [], [], [], 0
        self.captions, self.headed, self.ids, self.links = 0, 0, [], []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self.open]
        self.text = " ".join(
            re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", html, flags=re.S).split()
        )

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        if given.get("href", "").startswith("#"):
            self.links.append(given["href"][1:])
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            if tag == "th" and "scope" not in given:
                self.faults.append("a header without scope")
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.headed += tag == "thead"

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes another element")

    def handle_data(self, data):
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, start):
        """The cells of the first row whose header begins so."""
        for row in self.rows:
            cells = [" ".join(cell.split()) for cell in row]
            if cells and cells[0].startswith(start):
                return cells
        raise AssertionError(f"no row {start}")


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    settings.serving.mkdir()
    run(settings, EMPTY)
    return settings


def add(settings, table, *rows):
    with duckdb.connect(str(settings.serving / SERVING_FILE)) as connection:
        for row in rows:
            connection.execute(
                f"insert into marts.{table} ({', '.join(row)}) "
                f"values ({', '.join('?' * len(row))})",
                list(row.values()),
            )


def run(settings, statement):
    with duckdb.connect(str(settings.serving / SERVING_FILE)) as connection:
        connection.execute(statement)


def a_day(back, **changed):
    return {
        "date": DAY - timedelta(days=back), "channel_group": "Paid Search", "campaign": "a",
        "sessions": 100, "macro_conversions": 2, "revenue": 250.5, "expected_revenue": 300.25,
        "cost": 60.1, "value_version": "2026-Q4", **changed,
    }  # fmt: skip


def a_version(settings, version="2026-Q4", first=date(2026, 10, 1), goal="purchase", **changed):
    key = {"value_version": version, "micro_conversion": "cart", "macro_conversion": goal, **ALL}
    value = {
        "valid_from": first, "probability": 0.31, "tier_weight": 0.7, "incremental_value": 11,
        "value": 24.8,
    }  # fmt: skip
    add(settings, "mart_micro_values", {**key, **value, "guardrail": "ladder", **changed})
    return key


def a_shop(settings):
    """56 days of two channels, a version, and something to do of each kind."""
    (settings.serving / SERVING_FILE).write_bytes(_served_by_a_shop())


@cache
def _served_by_a_shop():
    with TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), seeds=PROJECT_ROOT / "seeds")
        settings.serving.mkdir()
        run(settings, EMPTY)
        _fill(settings)
        return (settings.serving / SERVING_FILE).read_bytes()


def _fill(settings):
    add(settings, "publication", {"run_id": "r", "published_at": datetime(2026, 11, 30, 3, 12)})
    add(settings, "mart_daily_values", *(a_day(back) for back in range(28)))
    add(settings, "mart_daily_values", *(a_day(back, sessions=80) for back in range(28, 56)))
    add(
        settings,
        "mart_daily_values",
        a_day(3, channel_group="Direct", campaign="(not set)", sessions=50, cost=0, revenue=1000),
    )
    add(
        settings,
        "mart_daily_funnels",
        *(
            {
                "date": DAY - timedelta(days=back), "impressions": 9000, "clicks": 300,
                "sessions": 200, "soft_sessions": 120, "medium_sessions": 50, "hard_sessions": 30,
                "macro_sessions": 12, "reached_soft": 120, "reached_medium": 40,
                "reached_hard": 20, "reached_macro": 5,
            }
            for back in (0, 1, 40)
        ),
    )  # fmt: skip
    warning = {
        "micro_conversion": "video_half", "channel_group": "Email", "sessions": 400,
        "expected_rate": 0.25, "actual_rate": 0.1, "severity": "warning",
    }  # fmt: skip
    add(
        settings,
        "mart_early_warnings",
        {**warning, "date": DAY, "warning": "dropped", "money_at_risk": 1234.5,
         "reason": "A broken page, form or tag."},
        {**warning, "date": DAY, "warning": "fires_more_often", "severity": "critical",
         "channel_group": "(all)", "money_at_risk": 20, "reason": "A tag that fires twice."},
        {**warning, "date": DAY, "warning": None, "channel_group": "Quiet"},
        {**warning, "date": DAY - timedelta(days=9), "warning": "dropped",
         "channel_group": "Past"},
    )  # fmt: skip
    campaign = {
        "week": date(2026, 11, 16), "is_complete": True, "cost": 700, "value": 1400, "roas": 1.5,
        "value_roas": 2, "marginal_roas": 1.6, "marginal_roas_lower": 1.1,
        "marginal_roas_upper": 2.1,
    }  # fmt: skip
    add(
        settings,
        "mart_campaign_returns",
        {**campaign, "campaign": "spring", "recommendation": "raise", "reason": "It brings 1.60."},
        {**campaign, "campaign": "still", "recommendation": "hold", "reason": "Between."},
        {**campaign, "campaign": "early", "recommendation": "raise", "is_complete": False,
         "week": date(2026, 11, 23), "reason": "Not over."},
        {**campaign, "campaign": "past", "recommendation": "lower", "week": date(2026, 11, 9),
         "reason": "Past."},
    )  # fmt: skip
    bid = {
        "date": DAY, "macro_conversions_30d": 44, "current_target": "micro",
        "recommended_target": "macro", "is_left_on_micro": True, "is_trap": False,
        "roas_28d": 1.5, "reason": "44 in 30 days.",
    }  # fmt: skip
    add(
        settings,
        "mart_bidding_targets",
        {**bid, "campaign": "spring"},
        {**bid, "campaign": "settled", "date": DAY - timedelta(days=1)},
        {**bid, "campaign": "settled", "current_target": "macro", "is_left_on_micro": False},
        {**bid, "campaign": "buys_acts", "is_trap": True},
        {**bid, "campaign": "of_last_year", "date": DAY - timedelta(days=300)},
        {**bid, "campaign": "unlisted", "current_target": None, "is_left_on_micro": False},
        {**bid, "campaign": "newsletter", "current_target": None, "is_left_on_micro": False,
         "roas_28d": None},
    )  # fmt: skip
    leak = {
        "date": DAY, "funnel": "checkout", "step_number": 1, "channel_group": "Email",
        "event_name": "add_to_cart", "next_event_name": "begin_checkout", "entered": 200,
        "continued": 50, "entered_before": 800, "continued_before": 400, "lost": 50,
        "money_lost": 3200, "is_leak": True, "is_biggest_leak": True,
        "usual_cause": "Costs that come late.",
    }  # fmt: skip
    add(settings, "mart_funnel_leaks", leak, {**leak, "is_leak": False, "funnel": "whole"})
    key = a_version(settings)
    a_version(settings, "2026-Q3", date(2026, 7, 1), value=20)
    add(
        settings,
        "mart_conversion_probabilities",
        {**key, "trials": 41000, "probability": 0.31, "probability_lower": 0.29,
         "probability_upper": 0.33, "lift": 2.5, "verdict": "predictive"},
    )  # fmt: skip
    add(
        settings,
        "mart_value_changes",
        {**key, "previous_version": "2026-Q3", "change": 4.8, "main_reason": "macro_value"},
        {**key, "previous_version": "2026-Q4", "change": -9, "main_reason": "rate"},
    )
    health = {
        "value_version": "2026-Q4", "macro_conversion": "purchase", "trials": 900, "lift": 0.87,
        "reason": "too_soft", "explanation": "Too soft: no more often than anybody.",
    }  # fmt: skip
    add(
        settings,
        "mart_micro_conversion_health",
        {**health, "micro_conversion": "gallery", "recommendation": "drop"},
        {**health, "micro_conversion": "cart", "recommendation": "keep", "reason": "none"},
        {**health, "micro_conversion": "old", "recommendation": "drop", "value_version": "2026-Q3"},
    )
    add(
        settings,
        "mart_value_backtest_summary",
        {"value_version": "2026-Q3", "channel_weeks": 112, "expected_revenue": 36000,
         "realised_revenue": 30000, "calibration_slope": 0.94, "weeks_ranked": 14,
         "rank_correlation_value": 0.9},
    )  # fmt: skip
    audit = {"duplicate": 30, "incomplete": 4, "late": 5}
    add(
        settings,
        "mart_event_audit",
        {**audit, "date": DAY, "source_system": "ga4", "raw": 1000, "accepted": 950,
         "refused": 20, "refused_bot": 13, "refused_no_visitor": 7},
        {**audit, "date": DAY - timedelta(days=27), "source_system": "ga4", "raw": 1000,
         "accepted": 970, "refused": 0, "refused_bot": 0, "refused_no_visitor": 0},
        {**audit, "date": DAY - timedelta(days=28), "source_system": "ga4", "raw": 77777,
         "accepted": 77747, "refused": 0, "refused_bot": 0, "refused_no_visitor": 0},
    )  # fmt: skip


def shown(settings):
    page = Page(page_of(settings, NOW))
    assert page.faults == []
    return page


def test_the_marts_made_here_have_columns_of_the_real_ones():
    for mart in MARTS:
        if mart == "publication":
            continue
        declared = PROJECT_ROOT / "dbt_project" / "models" / "marts" / f"{mart}.yml"
        columns = yaml.safe_load(declared.read_text(encoding="utf-8"))["models"][0]["columns"]
        real = {column["name"]: column["data_type"].replace(" ", "") for column in columns}
        made = re.findall(r"(\w+) (\w+(?:\(18, 4\))?)", MARTS[mart])
        assert {column: kind.replace(" ", "") for column, kind in made}.items() <= real.items()


def test_the_heading_says_which_day_and_version_and_when_it_was_published(settings):
    a_shop(settings)
    text = shown(settings).text
    assert "Data up to Sunday, 2026-11-29" in text
    assert "Published 2026-11-30 03:12. Value version 2026-Q4 is in force since 2026-10-01." in text
    assert "Money in USD, days in UTC." in text
    assert "days old" not in text and "simulated" not in text.lower()


def test_the_heading_says_when_and_why_the_version_shown_was_restated(settings):
    a_shop(settings)
    written = {"value_version": "2026-Q4", "micro_conversion": "cart"}
    add(
        settings,
        "mart_value_history",
        {**written, "restatement": 0, "known_from": datetime(2026, 10, 1, 4)},
        {**written, "value_version": "2026-Q3", "restatement": 3, "reason": "Past.",
         "known_from": datetime(2026, 9, 1)},
    )  # fmt: skip
    assert "restated" not in shown(settings).text
    add(
        settings,
        "mart_value_history",
        {**written, "restatement": 1, "known_from": datetime(2026, 10, 20, 23),
         "reason": f"orders of May {HOSTILE}"},
    )  # fmt: skip
    text = shown(settings).text
    assert "This version was restated on 2026-10-20: orders of May &lt;script&gt;" in text
    assert "Version 2026-Q4, in force from 2026-10-01 , restated, all segments" in text
    add(
        settings,
        "mart_value_history",
        {**written, "restatement": 2, "known_from": datetime(2026, 11, 2, 23), "reason": "a rate"},
    )
    there = replace(settings, dbt_vars={"reporting_time_zone": "Pacific/Auckland"})
    text = Page(page_of(there, NOW)).text
    assert "This version was restated 2 times, last on 2026-11-03: a rate" in text
    assert "orders of May" not in text and "Past." not in text


def test_what_an_earlier_release_published_is_shown_as_first_written(settings):
    a_shop(settings)
    run(settings, "drop table marts.mart_value_history")
    page = shown(settings)
    assert "Value version 2026-Q4 is in force since 2026-10-01." in page.text
    assert "restated" not in page.text and "Left out" not in page.text


def test_times_and_days_are_those_of_the_reporting_time_zone(settings):
    a_shop(settings)
    there = Settings(
        home=settings.home,
        seeds=settings.seeds,
        dbt_vars={"reporting_time_zone": "Pacific/Auckland", "reporting_currency": "EUR"},
    )
    add(settings, "mart_daily_values", a_day(-1), a_day(-2))
    page = Page(page_of(there, datetime(2026, 11, 30, 23, tzinfo=UTC)))
    assert "Data up to Monday, 2026-11-30" in page.text
    assert "Published 2026-11-30 16:12" in page.text
    assert "Money in EUR, days in Pacific/Auckland." in page.text
    assert "At risk, EUR" in page.text and "USD" not in page.text


def test_a_day_that_has_only_begun_and_spend_ahead_of_sessions_are_not_the_newest_day(settings):
    a_shop(settings)
    run(settings, "delete from marts.mart_daily_values where date > date '2026-11-25'")
    add(settings, "mart_daily_values", a_day(0, sessions=0), a_day(-1))
    text = shown(settings).text
    assert "Data up to Wednesday, 2026-11-25" in text
    assert "The newest day with data is 5 days old." in text


def test_a_simulated_shop_is_labelled(settings):
    (settings.home / "simulated.json").write_text("{}")
    assert "SIMULATED SHOP" in shown(settings).text


def test_campaigns_with_cost_that_no_session_names_are_told_with_what_they_cost(settings):
    a_shop(settings)
    assert "named by no session" not in shown(settings).text
    alone = {"sessions": 0, "macro_conversions": 0, "revenue": 0, "expected_revenue": 0}
    add(
        settings,
        "mart_daily_values",
        *(a_day(back, **alone, campaign="Spring sale", cost=10.25) for back in (0, 27)),
        # too long ago, met on another day, without a name
        a_day(28, **alone, campaign="old", cost=99),
        a_day(5, **alone, campaign="met", cost=99),
        a_day(6, campaign="met", cost=0),
        a_day(5, **alone, campaign="(not set)", cost=99),
    )
    said = (
        "With cost in the last 28 days, but named by no session of them: {}. See that the links "
        "and the spend spell the name alike, in upper and lower case too."
    )
    assert said.format("Spring sale (20.50 USD)") in shown(settings).text
    add(
        settings,
        "mart_daily_values",
        *(a_day(1, **alone, campaign=f"c{n}", cost=9 - n) for n in range(6)),
    )
    names = ", ".join(f"c{n} ({9 - n}.00 USD)" for n in range(4))
    assert said.format(f"Spring sale (20.50 USD), {names}, and 2 more") in shown(settings).text


def test_spend_without_any_session_is_no_return_of_nought_and_no_slip_in_a_name(settings):
    a_shop(settings)
    assert "nothing was measured" not in shown(settings).text
    run(settings, "update marts.mart_daily_values set sessions = 0, revenue = 0")
    text = shown(settings).text
    assert "No session of a day that is over has come yet, only spend" in text
    assert "What became of the event rows stands below" in text
    assert "named by no session" not in text
    run(settings, "drop table marts.mart_event_audit")
    assert "only spend: revenue and ROAS of 0 say that nothing was measured, not that" in (
        shown(settings).text
    )


def test_rows_of_which_no_session_came_are_not_asked_for_again(settings):
    refused = {"source_system": "generic", "raw": 246, "accepted": 0, "duplicate": 0}
    add(settings, "mart_event_audit", {**refused, "date": DAY, "refused": 246, "refused_bot": 246})
    page = shown(settings)
    assert "no session of a day that is over came of them, so nothing can be shown" in page.text
    assert "Land files" not in page.text
    assert set(page.links) <= set(page.ids)


def test_a_leak_is_denied_only_where_there_is_something_to_compare_with(settings):
    a_shop(settings)
    none = "No step of a named funnel loses more than chance explains"
    run(settings, "update marts.mart_funnel_leaks set is_leak = false")
    assert none in shown(settings).text
    run(settings, "update marts.mart_funnel_leaks set lost = null, entered_before = 0")
    text = shown(settings).text
    assert none not in text
    assert "No step of a named funnel can be compared yet" in text


def test_what_needs_an_act_is_listed_and_nothing_else(settings):
    a_shop(settings)
    page = shown(settings)
    assert page.row("video_half, Email") == [
        "video_half, Email A broken page, form or tag.", "dropped", "2026-11-29", "400", "10.0 %",
        "25.0 %", "1,234.50",
    ]  # fmt: skip
    assert page.row("video_half, (all)")[1] == "critical: fires more often"
    assert page.row("spring") == [
        "springIt brings 1.60.", "raise", "700.00", "1.50", "2.00", "1.60", "1.10 to 2.10",
    ]  # fmt: skip
    assert "Besides, of campaigns with cost: 1 hold." in page.text
    assert page.row("spring44") == ["spring44 in 30 days.", "left on micro", "micro", "macro", "44"]
    assert page.row("buys_acts")[1] == "trap"
    assert "What 1 campaign bids on now is not in" in page.text
    assert page.row("checkout: add_to_cart to begin_checkout")[1:] == [
        "Email", "25.0 %", "50.0 %", "50", "3,200.00",
    ]  # fmt: skip
    assert page.row("gallery")[1:] == ["drop", "too soft", "900", "0.87"]
    headers = [row[0].split("It ")[0] for row in page.rows if row]
    for absent in ("still", "early", "settled", "of_last_year", "unlisted", "old", "whole"):
        assert not [header for header in headers if header.startswith(absent)]
    assert "Quiet" not in page.text and "Past" not in page.text
    for said in ("2 early warnings", "1 budget to move", "2 bids to change", "1 leak"):
        assert said in page.text


def test_a_campaign_that_rests_is_shown_as_of_its_newest_day(settings):
    a_shop(settings)
    run(settings, "update marts.mart_bidding_targets set date = date - 5 where campaign = 'spring'")
    text = shown(settings).text
    assert f"44 in 30 days. As of {DAY - timedelta(days=5)}, its newest day." in text
    assert text.count("As of") == 1


def test_warnings_with_most_money_come_first(settings):
    a_shop(settings)
    text = shown(settings).text
    assert text.index("A broken page") < text.index("A tag that fires twice")


def test_figures_are_sums_and_ratios_of_sums(settings):
    a_shop(settings)
    text = shown(settings).text
    revenue, cost, expected = 28 * 250.5 + 1000, 28 * 60.1, 29 * 300.25
    before_revenue = 28 * 250.5
    assert f"Sessions 2,850 {100 * (2850 / 2240 - 1):+.1f} %, before 2,240" in text
    assert f"Cost {cost:,.2f} USD ±0.0 %, before {cost:,.2f}" in text
    assert (
        f"Revenue {revenue:,.2f} USD {100 * (revenue / before_revenue - 1):+.1f} %, "
        f"before {before_revenue:,.2f}" in text
    )
    assert f"Expected revenue {expected:,.2f} USD" in text
    assert f"ROAS {revenue / cost:.2f} " in text
    assert f"PNO {100 * cost / revenue:.1f} %" in text
    assert f"Value ROAS {expected / cost:.2f} " in text


def test_channels_are_sums_with_a_total(settings):
    a_shop(settings)
    page = shown(settings)
    assert page.row("Paid Search") == [
        "Paid Search", "2,800", "56", "1,682.80", "7,014.00", "8,407.00", "4.17", "24.0 %", "5.00",
    ]  # fmt: skip
    # a ratio to no cost is not known
    assert page.row("Direct") == [
        "Direct", "50", "2", "0.00", "1,000.00", "300.25", NONE, "0.0 %", NONE,
    ]  # fmt: skip
    assert page.row("All channels")[1:5] == ["2,850", "58", "1,682.80", "8,014.00"]


def test_cost_in_another_channel_than_the_sessions_of_its_campaigns_is_told(settings):
    a_shop(settings)
    alone = {"sessions": 0, "macro_conversions": 0, "revenue": 0, "expected_revenue": 0}
    # nobody came by it, which is another matter
    add(settings, "mart_daily_values", a_day(1, **alone, channel_group="Audio", campaign="pod"))
    assert "whose sessions stand in other channels" not in shown(settings).text
    add(settings, "mart_daily_values", a_day(1, **alone, channel_group="<i>SEA", campaign="a"))
    said = "with the cost of campaigns whose sessions stand in other channels: &lt;i&gt;SEA ."
    assert said in shown(settings).text.replace("SEA.", "SEA .")


def test_the_funnel_divides_each_step_by_the_one_before(settings):
    a_shop(settings)
    page = shown(settings)
    assert page.row("Ad clicks") == ["Ad clicks", "600", "3.3 %", NONE, "", NONE]
    assert page.row("Sessions, all channels")[1:4] == ["400", NONE, "100.0 %"]
    assert page.row("Medium") == [
        "Medium micro-conversion", "80", "33.3 %", "20.0 %", "", "100",
    ]  # fmt: skip
    assert page.row("Macro-conversion") == ["Macro-conversion", "10", "25.0 %", "2.5 %", "", "24"]


def test_micro_conversions_carry_bounds_value_guardrail_and_the_change(settings):
    a_shop(settings)
    assert shown(settings).row("cart") == [
        "cart", "24.80", "+4.80 macro value", "31.0 %", "29.0 to 33.0 %", "", "41,000",
        "predictive", "ladder",
    ]  # fmt: skip


def test_several_goals_have_a_column_of_their_own(settings):
    a_shop(settings)
    a_version(settings, goal="lead", value=3)
    page = shown(settings)
    assert ["cart", "lead"] in [row[:2] for row in page.rows]
    assert ["cart", "purchase"] in [row[:2] for row in page.rows]


def test_trust_is_the_backtest_and_the_rows_of_the_days_shown(settings):
    a_shop(settings)
    page = shown(settings)
    assert page.row("2026-Q3") == [
        "2026-Q3", "112", "36,000.00", "30,000.00", "1.20", "0.94", "14", "0.90", NONE, NONE,
    ]  # fmt: skip
    assert page.row("ga4") == ["ga4", "2,000", "1,920", "60", "20", "1.0 %", "8", "10"]
    assert "Refused for: bot 13, no visitor 7 ." in page.text.replace("7.", "7 .")


def test_marts_without_rows_make_sentences_and_no_table(settings):
    page = shown(settings)
    assert page.tables == 0
    for said in (
        "No data yet", "No session and no spend is published yet",
        "No micro-conversion has enough history to be judged yet.",
        "No spend that can be used has come for these days, so there is no budget to judge.",
        "No session has entered a funnel", "No day has data yet.",
        "No micro-conversion is enabled, so nothing has a value.",
        "No version has settled weeks yet", "No row has been read yet.",
    ):  # fmt: skip
        assert said in page.text


@pytest.mark.parametrize("mart", [mart for mart in MARTS if mart not in OF_THE_HEADING])
def test_a_mart_that_is_empty_or_missing_costs_its_section_only(settings, mart):
    a_shop(settings)
    run(settings, f"delete from marts.{mart}")
    assert "nan" not in re.split(r"\W", shown(settings).text.lower())
    run(settings, f"drop table marts.{mart}")
    page = shown(settings)
    assert (
        f"Left out, since the serving file lacks something: Catalog Error: Table with name {mart}"
        in (page.text)
    )
    assert "nothing can be shown" not in page.text and "so nothing has a value" not in page.text
    assert "Can it be trusted?" in page.text


def test_without_spend_sentences_say_so_and_no_column_of_cost_is_shown(settings):
    a_shop(settings)
    run(settings, "update marts.mart_daily_values set cost = 0")
    run(settings, "update marts.mart_daily_funnels set impressions = null, clicks = null")
    page = shown(settings)
    assert "so there is no cost and no return on it" in page.text
    assert "so there is no budget to judge" in page.text
    assert page.row("Paid Search") == ["Paid Search", "2,800", "56", "7,014.00", "8,407.00"]
    assert "ROAS" not in page.text and "Ad impressions" not in page.text
    assert "Cost, USD a day" not in page.text


def test_before_any_version_configured_weights_are_said_to_speak(settings):
    a_shop(settings)
    run(settings, "delete from marts.mart_micro_values")
    a_version(settings, "(prior)", date(1, 1, 1))
    run(settings, "update marts.mart_daily_values set value_version = '(prior)'")
    page = shown(settings)
    assert "Configured weights are in force." in page.text
    assert "rank traffic, and are no money to compare with cost." in page.text
    assert "On 28 of these days and 28 of those before the configured weights" in page.text
    assert page.row("cart") == ["cart", "24.80", "31.0 %", NONE, "", "0", NONE, "ladder"]


def test_a_shop_younger_than_its_quarter_is_told_when_its_first_version_comes(settings):
    a_shop(settings)
    run(settings, "delete from marts.mart_micro_values")
    a_version(settings, "(prior)", date(1, 1, 1))
    run(settings, "update marts.mart_event_audit set date = date '2026-10-01'")
    text = shown(settings).text
    assert "so the first version is that of 2027-01-01 ." in text
    assert "The first quarterly run ends that." not in text
    run(settings, "update marts.mart_event_audit set date = date '2026-09-30'")
    assert "The first quarterly run ends that." in shown(settings).text


def test_a_version_that_values_no_session_is_no_verdict_on_the_traffic(settings):
    a_shop(settings)
    said = "Version 2026-Q4 values no session"
    assert said not in shown(settings).text
    run(settings, "update marts.mart_micro_values set incremental_value = 0")
    assert said in shown(settings).text


def test_money_in_a_currency_without_a_rate_is_said_to_be_missing(settings):
    a_shop(settings)
    assert "without a rate" not in shown(settings).text
    unrated = "update marts.mart_event_audit set refused_currency_without_rate = {} where date = {}"
    # before the days shown
    run(settings, unrated.format(5, "date '2026-11-01'"))
    assert "without a rate" not in shown(settings).text
    run(settings, unrated.format(1, f"date '{DAY}'"))
    said = "event row{} refused for money in a currency without a rate: what was bought"
    assert f"Since 2026-11-02 1 {said.format(' was')}" in shown(settings).text
    run(settings, unrated.format(1400, f"date '{DAY}'"))
    assert f"1,400 {said.format('s were')}" in shown(settings).text


def test_configured_weights_of_the_days_before_are_no_measure_of_these(settings):
    a_shop(settings)
    assert "configured weights" not in shown(settings).text
    run(
        settings,
        "update marts.mart_daily_values set value_version = '(prior)' "
        f"where date < date '{DAY - timedelta(days=50)}'",
    )
    assert "On 0 of these days and 5 of those before the configured weights" in shown(settings).text


def test_what_configured_weights_say_is_set_beside_no_cost_and_no_versions_revenue(settings):
    a_shop(settings)
    prior = "update marts.mart_daily_values set value_version = '(prior)' where date < date '{}'"
    run(settings, prior.format(DAY - timedelta(days=30)))
    expected = 28 * 300.25 + 300.25
    text = shown(settings).text
    assert f"Value ROAS {expected / (28 * 60.1):.2f} before {NONE} " in text
    assert f"Expected revenue {expected:,.2f} USD before 8,407.00 " in text
    assert "So there is no value ROAS of sums that hold such days." in text
    run(settings, prior.format(DAY - timedelta(days=25)))
    page = shown(settings)
    assert f"Value ROAS {NONE} before {NONE} " in page.text
    assert page.row("Paid Search")[-1] == page.row("All channels")[-1] == NONE
    run(settings, prior.format(DAY + timedelta(days=1)))
    page = shown(settings)
    # all of one kind: of what only ranks there is a change, and no return
    assert f"Expected revenue {expected:,.2f} USD +3.6 %, before 8,407.00 " in page.text
    assert f"Value ROAS {NONE} before {NONE} " in page.text


def test_a_new_version_within_the_days_shown_is_said_to_have_moved_the_values(settings):
    a_shop(settings)
    said = "a new version moves all values at once, so expected revenue and value ROAS differ"
    assert said not in shown(settings).text
    run(
        settings,
        "update marts.mart_daily_values set value_version = '2026-Q3' "
        f"where date < date '{DAY - timedelta(days=20)}'",
    )
    text = shown(settings).text
    assert "Days from 2026-11-09 on are valued by version 2026-Q4, those before by 2026-Q3" in text
    assert said in text


def test_days_without_data_are_counted_and_left_open_in_the_plot(settings):
    a_shop(settings)
    run(settings, "delete from marts.mart_daily_values where date = date '2026-11-20'")
    html = page_of(settings, NOW)
    assert "Without any data: 1 of these days, 0 of those before." in Page(html).text
    assert html.count("<polyline") == 2 * 3 * 2
    assert Page(html).row("2026-11-20")[1:] == [NONE, NONE, NONE, NONE]


def test_sums_that_are_not_known_are_dashes(settings):
    a_shop(settings)
    run(settings, "update marts.mart_daily_values set revenue = null, expected_revenue = null")
    page = shown(settings)
    assert f"Revenue {NONE} before {NONE} Exp" in page.text
    assert f"ROAS {NONE} before {NONE}" in page.text
    assert page.row("All channels")[4:] == [NONE, NONE, NONE, NONE, NONE]


def test_numbers_that_are_none_are_dashes(settings):
    a_shop(settings)
    run(settings, "update marts.mart_campaign_returns set roas = 'nan', value_roas = 'inf'")
    assert shown(settings).row("spring")[3:5] == [NONE, NONE]


def test_names_from_the_data_cannot_act(settings):
    a_shop(settings)
    for table, column in (
        ("mart_daily_values", "channel_group"), ("mart_campaign_returns", "campaign"),
        ("mart_campaign_returns", "reason"), ("mart_bidding_targets", "campaign"),
        ("mart_bidding_targets", "current_target"), ("mart_early_warnings", "channel_group"),
        ("mart_funnel_leaks", "funnel"), ("mart_event_audit", "source_system"),
        ("mart_micro_values", "micro_conversion"), ("mart_micro_conversion_health", "explanation"),
    ):  # fmt: skip
        run(settings, f'update marts.{table} set {column} = \'{HOSTILE}" onload="x"\'')
    html = page_of(settings, NOW)
    assert Page(html).faults == []
    assert html.count("<script>") == 1
    assert HOSTILE not in html and 'onload="' not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_names_are_one_line_of_bounded_length_that_stays_in_its_place():
    assert name("a\n\tb") == "a b"
    assert name("a\x00b\u202ec") == "a\ufffdb\ufffdc"
    assert name("a\ud800\u061cb") == "a\ufffd\ufffdb"
    assert len(name("x" * 9999)) == 120
    assert name(None) == NONE


def test_many_campaigns_stay_a_small_page_that_says_how_many_there_are(settings):
    a_shop(settings)
    run(
        settings,
        """
        insert into marts.mart_campaign_returns
        select week, repeat('long name ', 50) || n, is_complete, n + 1000, value, roas, value_roas,
            marginal_roas, marginal_roas_lower, marginal_roas_upper, recommendation, reason
        from marts.mart_campaign_returns cross join range(5000) as numbers (n)
        where campaign = 'spring';
        insert into marts.mart_bidding_targets
        select date, repeat('long name ', 50) || n, macro_conversions_30d, current_target,
            recommended_target, is_left_on_micro, is_trap, roas_28d, reason
        from marts.mart_bidding_targets cross join range(5000) as numbers (n)
        where campaign = 'spring';
        insert into marts.mart_daily_values
        select date, repeat('channel ', 50) || n, campaign, sessions, macro_conversions, revenue,
            expected_revenue, cost, value_version
        from marts.mart_daily_values cross join range(5000) as numbers (n)
        where date = date '2026-11-29';
        """,
    )
    html = page_of(settings, NOW)
    page = Page(html)
    assert len(html.encode()) < 150_000
    assert "5,001 budgets to move" in page.text
    assert "and 4,989 more campaigns to move, all in mart_campaign_returns" in page.text
    assert "and 4,990 more campaigns, all in mart_bidding_targets" in page.text
    assert "and 4,982 more channels, all in mart_daily_values" in page.text


def test_the_page_stands_by_itself_and_can_be_read_aloud(settings):
    a_shop(settings)
    html = page_of(settings, NOW)
    page = Page(html)
    assert not re.search(r"https?://|//[a-z]|src=|url\(|@import|<link|<img", html)
    assert '<html lang="en">' in html
    assert page.tables == page.captions == page.headed > 8
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        assert 'aria-hidden="true"' in svg or "<title" in svg


def test_the_page_takes_the_place_of_the_one_before_in_one_step(settings, monkeypatch):
    a_shop(settings)
    path = dashboard.write_dashboard(settings, report=lambda _: None)
    assert path == settings.serving / DASHBOARD_FILE
    with path.open(encoding="utf-8") as before:
        run(settings, "delete from marts.mart_campaign_returns")
        dashboard.write_dashboard(settings, report=lambda _: None)
        # who reads the old one reads it to its end
        assert "spring" in before.read()
    assert "It brings 1.60." not in path.read_text(encoding="utf-8")
    assert sorted(file.name for file in settings.serving.iterdir()) == [
        DASHBOARD_FILE,
        SERVING_FILE,
    ]


def test_a_page_that_cannot_be_written_leaves_the_old_one_and_says_so(settings, monkeypatch):
    a_shop(settings)
    path = dashboard.write_dashboard(settings, report=lambda _: None)
    before = path.read_bytes()

    def closed(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(dashboard, "to_disk", closed)
    with pytest.raises(IntentMapError, match=r"could not be written: Permission denied\. The tabl"):
        dashboard.write_dashboard(settings, report=lambda _: None)
    assert path.read_bytes() == before
    assert sorted(file.name for file in settings.serving.iterdir()) == [
        DASHBOARD_FILE,
        SERVING_FILE,
    ]


def test_nothing_published_and_a_file_that_is_none_end_in_a_sentence(settings):
    (settings.serving / SERVING_FILE).write_text("no database")
    with pytest.raises(IntentMapError, match="cannot be read"):
        dashboard.write_dashboard(settings, report=lambda _: None)
    (settings.serving / SERVING_FILE).unlink()
    with pytest.raises(IntentMapError, match="Nothing is published"):
        dashboard.write_dashboard(settings, report=lambda _: None)
    assert not (settings.serving / DASHBOARD_FILE).exists()


def test_the_command_writes_the_page_and_says_where(settings, monkeypatch, capsys):
    monkeypatch.setenv("INTENT_MAP_HOME", str(settings.home))
    a_shop(settings)
    assert cli.main(["dashboard"]) == 0
    path = settings.serving / DASHBOARD_FILE
    assert str(path) in capsys.readouterr().out
    assert "</html>" in path.read_text(encoding="utf-8")
    (settings.serving / SERVING_FILE).unlink()
    assert cli.main(["dashboard"]) == 1
    assert "Nothing is published" in capsys.readouterr().err


def test_publishing_by_hand_writes_the_page_too(settings, monkeypatch, capsys):
    monkeypatch.setenv("INTENT_MAP_HOME", str(settings.home))
    monkeypatch.setattr("orchestration.publishing.publish", lambda *_, **__: a_shop(settings))
    assert cli.main(["publish"]) == 0
    assert str(settings.serving / DASHBOARD_FILE) in capsys.readouterr().out
    assert (settings.serving / DASHBOARD_FILE).exists()


def test_a_reader_of_the_serving_file_is_not_in_the_way(settings):
    a_shop(settings)
    with duckdb.connect(str(settings.serving / SERVING_FILE), read_only=True):
        assert page_of(settings, NOW)


def test_the_template_is_part_of_the_package():
    text = (PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"orchestration.dashboard" = ["*.j2"]' in text
    assert (PROJECT_ROOT / "orchestration" / "dashboard" / dashboard.TEMPLATE).is_file()


def test_numbers_as_text():
    assert (count(None), count(1234567), count(-3)) == (NONE, "1,234,567", f"{MINUS}3")
    assert (money(None), money(-1234.5), money(0)) == (NONE, f"{MINUS}1,234.50", "0.00")
    assert (percent(None), percent(0.1234), ratio(2)) == (NONE, "12.3 %", "2.00")
    assert [form(-0.0001) for form in (count, money, signed_money, ratio, percent)] == [
        *("0", "0.00", "0.00", "0.00", "0.0 %")
    ]
    assert (over(1, 0), over(1, -2), over(None, 2), over(1, 4)) == (None, None, None, 0.25)
    assert (change(110, 100), change(90, 100), change(5, 0)) == ("+10.0 %", f"{MINUS}10.0 %", None)
    assert change(100.0001, 100) == change(99.9999, 100) == "±0.0 %"


def test_a_plot_has_round_ticks_gaps_and_room_for_what_is_below_nought():
    assert ticks_over(0, 870) == [0, 500, 1000]
    assert ticks_over(-30, 80) == [-50, 0, 50, 100]
    assert ticks_over(0, 0) == [0, 0.5, 1]
    assert [tick_label(tick, [0, 0.5]) for tick in (0, 0.5)] == ["0.0", "0.5"]
    assert tick_label(-1500000, [0, 500000]) == f"{MINUS}1,500,000"
    days = [DAY - timedelta(days=n) for n in range(6, -1, -1)]
    plot = day_plot(days, {"Cost": [1, 2, None, 5, None, 3, -1]}, 360, 240)
    (line,) = plot.lines
    assert [piece.count(",") for piece in line.pieces] == [2, 2]
    assert len(line.dots) == 1
    assert plot.x_ticks[-1][1] == "29 Nov"
    assert plot.top <= line.dots[0][1] < plot.zero < plot.bottom
    assert day_plot(days, {"Cost": [None] * 7}, 360, 240) is None
