"""The promise: night after night leaves what one full refresh would leave, row for row.

A history written by hand, with every hard case in it, and generated ones beside it, through the
same nights, two of which are killed.
"""

import pytest
from pipeline.generated import as_history
from pipeline.histories import hard_history
from pipeline.homes import Home, Workshop, differences
from pipeline.promise_checks import (
    Done,
    a_full_refresh_leaves_the_same,
    one_load_leaves_the_same,
    orders_count_once,
    people_are_those_of_their_last_login,
    run,
    sessions_are_exact,
)
from pipeline.shared_nights import Setting

SETTING = Setting(
    "clocks of New York, visits of an hour at most, two nights killed",
    {"reporting_time_zone": "America/New_York", "session_maximum_hours": 1},
    # the night behind the first one finds what was left, the other one is run again
    killed={2: (24,), 3: (40,)},
    abandoned={2},
)
GENERATED = 150


@pytest.fixture(scope="module")
def done(workshop: Workshop) -> Done:
    return run(workshop, SETTING, GENERATED, seed=1, as_it_is=as_history(hard_history()))


def counts(home: Home, sql: str) -> dict[str, int]:
    return {row["name"]: row["number"] for row in home.query(sql)}


def test_the_history_holds_every_hard_case(done: Done) -> None:
    home = done.nights
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
    # 70 events at 25 minutes reach into the 29th hour
    assert sessions["display"] == 29
    assert sessions["year"] == 3
    assert len(sessions) >= 60 + GENERATED
    versions = counts(
        home,
        "select value_version as name, count(*) as number from marts.mart_daily_values group by 1",
    )
    assert versions.keys() == {"(prior)", "2025-Q2"}
    twice = home.query(
        "select count(*) as number from marts.mart_micro_conversions "
        "where micro_conversion = 'searched_again'"
    )
    assert twice[0]["number"] > 5


def test_nights_two_of_them_killed_leave_what_a_full_refresh_leaves(done: Done) -> None:
    a_full_refresh_leaves_the_same(done)


def test_one_load_in_any_order_leaves_what_the_nights_leave(done: Done) -> None:
    one_load_leaves_the_same(done)


def test_sessions_are_those_reckoned_without_sql(done: Done) -> None:
    sessions_are_exact(done)


def test_an_order_counts_once_at_its_first_purchase_as_reckoned_without_sql(done: Done) -> None:
    orders_count_once(done)


def test_visitors_are_the_people_reckoned_without_sql(done: Done) -> None:
    people_are_those_of_their_last_login(done)


def test_a_night_without_new_files_passes_all_data_tests_and_changes_no_table(done: Done) -> None:
    home = done.nights.copy("promise_idle")
    home.night(data_tests=True)
    said = differences(done.nights.tables(), home.tables())
    assert not said, "\n".join(said)


def test_business_files_that_live_elsewhere_are_as_they_were(done: Done) -> None:
    written = (done.nights.settings.seeds / "currency_rates.csv").read_text(encoding="utf-8")
    assert written.startswith("currency,date,rate\n")
