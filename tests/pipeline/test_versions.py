"""A value version: written once, the same whenever it is written, silent before it exists."""

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.histories import Row, generic_event
from pipeline.homes import Home, Tables, Workshop, differences
from pipeline.valued_home import VERSION, VERSION_DATE, VERSION_MOMENT, ValuedHome

from orchestration.restatement import Restatement
from orchestration.settings import PROJECT_ROOT

KEPT = (
    "valuation.val_version_probabilities",
    "valuation.val_version_values",
    "valuation.val_version_states",
    "valuation.val_version_delays",
    "valuation.val_version_customers",
)
# with the moment of the run
NOTED = (*KEPT, "valuation.val_version_writings")
NEWSLETTER = {"source": "newsletter", "medium": "email"}


def kept(tables: Tables, names: Sequence[str] = KEPT) -> Tables:
    return {name: tables[name] for name in names}


def to_nine_digits(tables: Tables) -> Tables:
    """The last digit of a float hangs on the order of summing; decimals stay as they are."""

    def rounded(cell: Any) -> Any:
        return float(f"{cell:.9g}") if isinstance(cell, float) else cell

    return {
        name: Counter(tuple(map(rounded, row)) for row in rows.elements())
        for name, rows in tables.items()
    }


@pytest.fixture(scope="module")
def written_again(valued: ValuedHome) -> Home:
    return valued.written_again("written_again")


def test_before_any_version_the_configured_weights_are_in_force(valued: ValuedHome) -> None:
    home, marts = valued.home, valued.before
    assert not marts["marts.mart_conversion_probabilities"]
    weights = home.query(
        "select micro_conversions.micro_conversion, weight, default_value "
        "from seeds.micro_conversions "
        "join seeds.macro_conversions using (starter_pack) where starter_pack = 'ecommerce' "
        "and micro_conversions.is_enabled"
    )
    columns = [row["column_name"] for row in home.query("describe marts.mart_micro_values")]
    rows = [dict(zip(columns, row, strict=True)) for row in marts["marts.mart_micro_values"]]
    assert {(row["value_version"], row["guardrail"]) for row in rows} == {("(prior)", "no_history")}
    assert {row["micro_conversion"]: row["value"] for row in rows} == {
        row["micro_conversion"]: Decimal(str(row["weight"])) * row["default_value"]
        for row in weights
    }


def test_a_day_keeps_the_version_that_was_in_force_on_it(valued: ValuedHome) -> None:
    rows = valued.home.query(
        "select value_version, min(date) as first, max(date) as last from marts.mart_daily_values "
        "group by value_version"
    )
    days = {row["value_version"]: (row["first"], row["last"]) for row in rows}
    assert days.keys() == {"(prior)", VERSION}
    assert days["(prior)"][1] < VERSION_DATE <= days[VERSION][0]


def test_a_version_once_written_is_not_changed_by_later_events_or_a_full_refresh(
    valued: ValuedHome, written_again: Home
) -> None:
    assert all(valued.written[name] for name in NOTED)
    said = differences(
        kept(valued.written, NOTED), kept(written_again.tables(["valuation"]), NOTED)
    )
    assert not said, "\n".join(said)


def test_a_version_is_the_same_when_it_is_written_years_later(
    valued: ValuedHome, workshop: Workshop
) -> None:
    """All events are there, those of its date and after, the logins that came late, and what became
    of the orders."""
    home = workshop.home("years_later")
    home.drop("generic", "all", [*valued.later, *valued.earlier])
    home.drop("orders", "a first", valued.orders)
    home.drop("orders", "b restated", valued.restated)
    home.night()
    home.quarter(VERSION_DATE)
    said = differences(
        to_nine_digits(kept(valued.written)), to_nine_digits(kept(home.tables(["valuation"])))
    )
    assert not said, "\n".join(said)


def test_a_version_is_the_same_years_later_whatever_comes_of_a_visit_across_its_date(
    valued: ValuedHome, workshop: Workshop, tmp_path: Path
) -> None:
    """Some are told only then where they came from, and a direct visit takes an earlier source;
    which class a visit without a source is of is for the business to say. One turns out to be a
    machine's only then, and one that was a machine's buys."""
    seeds = tmp_path / "seeds"
    shutil.copytree(PROJECT_ROOT / "seeds", seeds, ignore=shutil.ignore_patterns("*.yml"))
    rules = seeds / "intent_rules.csv"
    assert ",direct\n" in rules.read_text(encoding="utf-8")
    rules.write_text(
        rules.read_text(encoding="utf-8").replace(",direct\n", ",brand\n"), encoding="utf-8"
    )
    # what the start of a visit meets counts for the one that turns out to be a machine's, too
    micros = seeds / "micro_conversions.csv"
    enabled = re.sub(
        "(second_visit,.*,ecommerce),false", r"\1,true", micros.read_text(encoding="utf-8")
    )
    micros.write_text(enabled, encoding="utf-8")
    first = workshop.home("at_its_time", {"direct_source_look_back_days": 30}, seeds)
    start, visitors = VERSION_MOMENT - timedelta(minutes=10), [f"across {n}" for n in range(6)]
    before = [generic_event(visitor, start, "page_view") for visitor in visitors]
    # how long before the date the newsletter had brought them; one came by themselves
    before += [
        generic_event(visitor, VERSION_MOMENT - timedelta(days=days), "page_view", **NEWSLETTER)
        for visitor, days in zip(visitors, (0.2, 12, 29.9, 30.1, 200), strict=False)
    ]
    behind = [
        generic_event(visitor, VERSION_MOMENT, "add_to_cart", source="blog.example")
        for visitor in visitors
    ]
    for visitor in ("slow", "hasty"):
        earlier = VERSION_MOMENT - timedelta(days=9)
        before += [generic_event(visitor, earlier, "page_view", source="only.example")]
    minute = VERSION_MOMENT - timedelta(minutes=1)
    before += [generic_event("slow", minute, "add_to_cart", source="machines.example")]
    before += _machine_minute("hasty", minute)
    behind += _machine_minute("slow", VERSION_MOMENT)
    behind += [generic_event("hasty", VERSION_MOMENT, "purchase", value="70")]
    first.drop("generic", "earlier", [*valued.earlier, *before])
    first.drop("orders", "orders", valued.orders)
    first.night()
    later = first.copy("after_its_time")
    first.quarter(VERSION_DATE)
    later.drop("generic", "later", [*valued.later, *behind])
    later.night()
    later.quarter(VERSION_DATE)
    query = f"""
        select visitor_key, session_key, intent_class from valuation.val_sessions
        where session_key in (
            select session_key from intermediate.int_sessions
            where started_at = timestamp '{start}' and visitor_id like 'across %'
        )
        order by all
    """
    known = first.query(query)
    assert Counter(row["intent_class"] for row in known) == {"email": 3, "brand": 3}
    assert later.query(query) == known
    read = f"""
        select visitor_id, session_key in (select session_key from {{}}) as is_there
        from intermediate.int_all_sessions where started_at = timestamp '{minute}'
        and visitor_id in ('slow', 'hasty') order by visitor_id
    """
    for home, table, there in (
        (first, "valuation.val_sessions", [False, True]),
        (later, "valuation.val_sessions", [False, True]),
        (later, "intermediate.int_sessions", [True, False]),
    ):
        assert [row["is_there"] for row in home.query(read.format(table))] == there
    written, again = (kept(home.tables(["valuation"])) for home in (first, later))
    said = differences(to_nine_digits(written), to_nine_digits(again))
    assert not said, "\n".join(said)
    without_value = """
        select * from valuation.val_version_probabilities
        anti join valuation.val_version_values
        using (value_version, macro_conversion, micro_conversion, intent_class, visitor_type)
    """
    assert not later.query(without_value)


def _machine_minute(visitor: str, minute: datetime) -> list[Row]:
    """More acts in a minute than a person does."""
    return [
        generic_event(visitor, minute, "view_item", event_id=f"{visitor} {number}")
        for number in range(301)
    ]


@dataclass(frozen=True)
class Restated:
    """home: after its version was restated, since rows of before its date had come late.
    written: the valuation as the night in between left it."""

    home: Home
    written: Tables


LATE = 40
VALUED_BY_A_VERSION = (
    *("val_values_in_force", "val_session_steps", "val_session_values", "mart_micro_values"),
    *("mart_value_history", "mart_value_changes", "mart_sessions", "mart_micro_conversions"),
    "mart_daily_values",
)


@pytest.fixture(scope="module")
def restated(valued: ValuedHome) -> Restated:
    home = valued.home.copy("restated")
    day = VERSION_MOMENT - timedelta(days=40)
    home.drop(
        "generic",
        "late",
        [
            generic_event(f"late {number}", day + timedelta(minutes=minute), act, value=value)
            for number in range(LATE)
            for minute, act, value in ((0, "add_to_cart", None), (1, "purchase", "90"))
        ],
    )
    home.night(select=["path:models/staging", "path:models/intermediate", "mart_micro_values"])
    written = home.tables(["valuation"])
    home.quarter(VERSION_DATE, restatement=Restatement(1, "a file of May's came late"))
    home.night(select=VALUED_BY_A_VERSION)
    return Restated(home, written)


def test_a_night_and_late_rows_restate_nothing(valued: ValuedHome, restated: Restated) -> None:
    said = differences(kept(valued.written, NOTED), kept(restated.written, NOTED))
    assert not said, "\n".join(said)


def test_a_restatement_keeps_every_old_row_beside_the_new_ones(
    valued: ValuedHome, restated: Restated
) -> None:
    tables = restated.home.tables(["valuation"])
    for name in NOTED:
        assert tables[name] >= valued.written[name], name
        assert tables[name].total() > valued.written[name].total(), name
    numbers = restated.home.query(
        "select restatement, reason from valuation.val_version_writings order by all"
    )
    assert [tuple(row.values()) for row in numbers] == [(0, None), (1, "a file of May's came late")]


def test_the_newest_restatement_is_in_force_and_the_old_values_stay_answerable(
    restated: Restated,
) -> None:
    home = restated.home
    query = f"""
        select restatement, value, known_from, known_to from marts.mart_value_history
        where value_version = '{VERSION}' and micro_conversion = 'cart_filled'
        and intent_class = '(all)' order by restatement
    """
    old, new = home.query(query)
    assert old["known_from"] < old["known_to"] == new["known_from"] < new["known_to"]
    assert new["value"] > old["value"]
    in_force = home.query(
        "select distinct value_version, restatement, value from marts.mart_micro_values "
        "where micro_conversion = 'cart_filled' and intent_class = '(all)' "
        "and value_version <> '(prior)'"
    )
    assert [tuple(row.values()) for row in in_force] == [(VERSION, 1, new["value"])]
    (change,) = home.query(
        "select value, previous_value, previous_version, previous_restatement "
        "from marts.mart_value_changes where restatement = 1 "
        "and micro_conversion = 'cart_filled' and intent_class = '(all)'"
    )
    assert tuple(change.values()) == (new["value"], old["value"], VERSION, 0)


def test_days_are_valued_by_the_restatement_and_days_of_before_it_stay(restated: Restated) -> None:
    query = """
        select date >= date '{day}' as is_behind, sum(expected_revenue) as expected,
            count(distinct value_version) as versions
        from marts.mart_daily_values group by is_behind order by is_behind
    """
    before, behind = restated.home.query(query.format(day=VERSION_DATE))
    assert (before["versions"], behind["versions"]) == (1, 1)
    (booked,) = restated.home.query(
        f"""
        select sum(coalesce(own.ended_value, weights.ended_value, tiers.ended_value)) as expected
        from intermediate.int_session_states as states
        join intermediate.int_sessions using (session_key)
        join intermediate.int_traffic_sources using (source, medium, campaign)
        join valuation.val_version_states as tiers
            on tiers.level = 'tier' and tiers.state_key = states.deepest_tier_rank
            and tiers.intent_class = int_traffic_sources.intent_class
            and tiers.visitor_type = int_sessions.visitor_type and tiers.restatement = 1
        left join valuation.val_version_states as weights
            on weights.level = 'weight'
            and weights.state_key = round((10 * deepest_tier_rank + deepest_weight) * 1000000)
            and weights.intent_class = int_traffic_sources.intent_class
            and weights.visitor_type = int_sessions.visitor_type and weights.restatement = 1
        left join valuation.val_version_states as own
            on own.level = 'state' and own.state_key = states.state_key
            and own.intent_class = int_traffic_sources.intent_class
            and own.visitor_type = int_sessions.visitor_type and own.restatement = 1
        where is_last and session_date >= date '{VERSION_DATE}'
        """
    )
    assert behind["expected"] == booked["expected"]


def test_what_a_killed_run_wrote_of_a_version_is_not_in_the_version_that_the_next_one_writes(
    valued: ValuedHome,
) -> None:
    """The run was killed before the last table, and what it wrote was of other numbers; so it was
    with a restatement of a whole version."""
    home = valued.home.copy("killed_between")
    unfinished = [name for name in KEPT if name != "valuation.val_version_states"]
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        for name in unfinished:
            # what the run left: half of the rows, all of them another segment's
            connection.execute(
                f"""
                insert into {name} by name
                select * replace (1 as restatement, 'left by it' as macro_conversion)
                from {name} qualify row_number() over () % 2 = 0
                """
            )
        left = [
            connection.execute(f"select count(*) from {name} where restatement = 1").fetchone()[0]
            for name in unfinished
        ]
    assert all(left)
    home.quarter(VERSION_DATE, restatement=Restatement(1, "what it wrote is to be right"))
    tables = home.tables(["valuation"])
    for name in KEPT:
        place = [row["column_name"] for row in home.query(f"describe {name}")].index("restatement")
        again = Counter({row: n for row, n in tables[name].items() if row[place] == 1})
        first = tables[name] - again
        # the version that was whole stays, and the same rows make the same numbers once more
        assert first == valued.written[name], name
        as_first = {name: Counter((*row[:place], 0, *row[place + 1 :]) for row in again.elements())}
        assert not differences(to_nine_digits({name: first}), to_nine_digits(as_first)), name


def test_a_value_holds_on_to_no_version_that_was_cut_short(valued: ValuedHome) -> None:
    """Of the quarter before, a killed run left all but the states: it was never in force."""
    home = valued.home.copy("cut_short_before")
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        for name in ("probabilities", "values"):
            connection.execute(
                f"""
                insert into valuation.val_version_{name} by name
                select * replace ('2025-Q1' as value_version, date '2025-01-01' as valid_from)
                from valuation.val_version_{name}
                """
            )
    home.quarter(VERSION_DATE, restatement=Restatement(1, "the same once more"))
    (held,) = home.query(
        "select count(*) as rows, count(previous_value) as held from valuation.val_micro_values"
    )
    assert held["rows"] > 0
    assert held["held"] == 0


def test_a_restatement_that_was_cut_short_is_not_in_force(restated: Restated) -> None:
    with duckdb.connect(str(restated.home.path / "warehouse" / "intent_map.duckdb")) as connection:
        connection.execute("begin")
        connection.execute("delete from valuation.val_version_states where restatement = 1")
        periods = connection.execute(
            "select value_version, restatement from valuation.val_version_periods order by all"
        ).fetchall()
        connection.execute("rollback")
    assert periods == [("(prior)", 0), (VERSION, 0)]
