"""A value version: written once, the same whenever it is written, silent before it exists."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from pipeline.homes import Home, Tables, Workshop, differences
from pipeline.valued_home import VERSION, VERSION_DATE, ValuedHome

KEPT = (
    "valuation.val_version_probabilities",
    "valuation.val_version_values",
    "valuation.val_version_states",
    "valuation.val_version_delays",
)


def kept(tables: Tables) -> Tables:
    return {name: tables[name] for name in KEPT}


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
    """The valued home after its version was asked for once more, over all rows anew."""
    home = valued.home.copy("written_again")
    home.night(full_refresh=True)
    home.quarter(VERSION_DATE, full_refresh=True)
    return home


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
    assert all(valued.written[name] for name in KEPT)
    said = differences(kept(valued.written), kept(written_again.tables(["valuation"])))
    assert not said, "\n".join(said)


def test_a_version_is_the_same_when_it_is_written_years_later(
    valued: ValuedHome, workshop: Workshop
) -> None:
    """All events are there, those of its date and after, and the logins that came late."""
    home = workshop.home("years_later")
    home.drop("generic", "all", [*valued.later, *valued.earlier])
    home.night()
    home.quarter(VERSION_DATE)
    said = differences(
        to_nine_digits(kept(valued.written)), to_nine_digits(kept(home.tables(["valuation"])))
    )
    assert not said, "\n".join(said)
