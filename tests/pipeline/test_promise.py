"""The promise: night after night leaves what one full refresh would leave, row for row."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

import pytest
from pipeline.histories import NIGHTS, hard_history
from pipeline.homes import Home, Tables, Workshop, differences

# what does not hang on a value version, nor on the load that brought a row
WITHOUT_VALUES = (
    "select * exclude (session_value) from marts.mart_sessions",
    "select session_key, micro_conversion, occurred_at, occurrences "
    "from marts.mart_micro_conversions",
    "select * from marts.mart_macro_conversions",
    "select * from marts.mart_daily_funnels",
)


@dataclass(frozen=True)
class FourNights:
    home: Home
    tables: Tables


@pytest.fixture(scope="module")
def four_nights(workshop: Workshop) -> FourNights:
    """The hard history after its four nights, with a value version from the second one on."""
    home = workshop.home("promise")
    arrivals = hard_history()
    for night in range(NIGHTS):
        for source, rows in arrivals.rows[night].items():
            home.drop(source, f"night_{night}", rows)
        home.night()
        if night == 1:
            home.quarter(date(2025, 4, 1))
    return FourNights(home, home.tables())


def counts(home: Home, sql: str) -> dict[str, int]:
    return {row["name"]: row["number"] for row in home.query(sql)}


def test_the_history_holds_every_hard_case(four_nights: FourNights) -> None:
    home = four_nights.home
    outcomes = counts(
        home,
        "select coalesce(reason, outcome) as name, count(*) as number "
        "from intermediate.int_event_receipts group by 1",
    )
    refused = ("consent_denied", "bot", "unreadable_time", "no_visitor", "before_project_start")
    for outcome in ("accepted", "duplicate", *refused, "currency_without_rate", "unreadable_value"):
        assert outcomes.get(outcome, 0) >= 4, (outcome, outcomes)
    sessions = counts(
        home,
        "select visitor_id as name, count(*) as number from intermediate.int_sessions group by 1",
    )
    assert sessions["equal"] == sessions["midnight"] == sessions["tie"] == sessions["earlier"] == 1
    assert sessions["longer"] == sessions["joined"] == sessions["both"] == 2
    # 70 events at 25 minutes are 29 hours
    assert sessions["display"] == 2
    assert sessions["year"] == 3
    assert len(sessions) >= 60
    versions = counts(
        home,
        "select value_version as name, count(*) as number from marts.mart_daily_values group by 1",
    )
    assert versions.keys() == {"(prior)", "2025-Q2"}


def test_refunds_reduce_revenue_once_on_their_own_date(four_nights: FourNights) -> None:
    home = four_nights.home
    refunded = home.query(
        "select order_id, value, refunded from marts.mart_macro_conversions "
        "where refunded > 0 order by order_id"
    )
    assert [(row["order_id"], float(row["refunded"])) for row in refunded] == [
        ("ORDER-A", 40),
        ("ORDER-B", 59),
        ("P1", 20),
    ]
    by_date = home.query(
        "select cast(date as varchar) as date, sum(refunds) as refunds "
        "from marts.mart_daily_values group by date having sum(refunds) > 0 order by date"
    )
    assert [(row["date"], float(row["refunds"])) for row in by_date] == [
        ("2025-05-28", 99),
        ("2025-06-02", 20),
    ]


def test_a_night_without_new_files_passes_all_data_tests_and_changes_no_table(
    four_nights: FourNights,
) -> None:
    home = four_nights.home.copy("promise_idle")
    home.night(data_tests=True)
    said = differences(four_nights.tables, home.tables())
    assert not said, "\n".join(said)


def test_four_nights_leave_what_a_full_refresh_leaves(four_nights: FourNights) -> None:
    home = four_nights.home.copy("promise_refreshed")
    home.night(full_refresh=True)
    said = differences(four_nights.tables, home.tables())
    assert not said, "\n".join(said)


def test_four_nights_in_any_order_leave_what_one_night_in_order_of_time_leaves(
    four_nights: FourNights, workshop: Workshop
) -> None:
    home = workshop.home("promise_at_once")
    arrivals = hard_history()
    for source, time in (("generic", "occurred_at"), ("ga4", "event_timestamp")):
        rows = [row for night in range(NIGHTS) for row in arrivals.rows[night][source]]
        home.drop(source, "all", sorted(rows, key=lambda row: row[time]))
    for source in ("orders", "ad_spend"):
        # of these the row that landed last counts, so their order is part of what they say
        for night in range(NIGHTS):
            if arrivals.rows[night][source]:
                home.drop(source, f"night_{night}", arrivals.rows[night][source])
    home.night()

    def shown(of: Home) -> Tables:
        return {
            sql: Counter(tuple(row.values()) for row in of.query(sql)) for sql in WITHOUT_VALUES
        }

    said = differences(shown(four_nights.home), shown(home))
    assert not said, "\n".join(said)
