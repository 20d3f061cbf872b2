"""The promise: night after night leaves what one full refresh would leave, row for row.

A history written by hand, with every hard case in it, and generated ones beside it, through the
same nights, two of which are killed.
"""

import pytest
from pipeline.conftest import GENERATED
from pipeline.homes import Home, differences
from pipeline.promise_checks import (
    Done,
    a_full_refresh_leaves_the_same,
    one_load_leaves_the_same,
    orders_count_once,
    people_are_those_of_their_last_login,
    sessions_are_exact,
)

from orchestration import dbt_runner

# what joins, deletes and tests of a night look for by the visits of some days
IN_ORDER_OF_DAYS = (
    *("intermediate.int_session_events", "intermediate.int_all_sessions"),
    *("intermediate.int_micro_conversions", "intermediate.int_session_states"),
    *("intermediate.int_session_stages", "intermediate.int_funnel_progress"),
    *("valuation.val_session_steps", "valuation.val_session_values"),
    *("valuation.val_attribution_credits", "marts.mart_sessions", "marts.mart_micro_conversions"),
)


def counts(home: Home, sql: str) -> dict[str, int]:
    return {row["name"]: row["number"] for row in home.query(sql)}


def test_the_history_holds_every_hard_case(promise: Done) -> None:
    home = promise.nights
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
    # the last of its 301 events made it one
    assert "machine" not in sessions
    assert sessions["hasty buyer"] == 1
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


def test_nights_two_of_them_killed_leave_what_a_full_refresh_leaves(promise: Done) -> None:
    a_full_refresh_leaves_the_same(promise)


def test_nights_leave_no_table_behind_that_is_there_for_a_moment(promise: Done) -> None:
    left = promise.nights.query(
        "select table_schema, table_name from information_schema.tables "
        "where contains(table_name, '__dbt_') or table_schema = 'main'"
    )
    assert left == []


def test_a_view_is_replaced_where_it_stands(promise: Done) -> None:
    home = promise.nights.copy("promise_view")
    home.take_up()
    log = home.settings.dbt_log_path / "dbt.log"
    log.unlink(missing_ok=True)
    args = [*dbt_runner.nightly_args(home.settings, ["int_events"]), "--log-level-file", "debug"]
    for _ in dbt_runner.run_dbt(home.settings, args):
        pass
    statements = log.read_text(encoding="utf-8")
    assert 'create or replace view "intent_map"."intermediate"."int_events" as' in statements
    # moved aside first, none would be there where the run is stopped before the new one is moved
    assert "alter view" not in statements


def test_one_load_in_any_order_leaves_what_the_nights_leave(promise: Done) -> None:
    one_load_leaves_the_same(promise)


def test_sessions_are_those_reckoned_without_sql(promise: Done) -> None:
    sessions_are_exact(promise)


def test_an_order_counts_once_at_its_first_purchase_as_reckoned_without_sql(promise: Done) -> None:
    orders_count_once(promise)


def test_visitors_are_the_people_reckoned_without_sql(promise: Done) -> None:
    people_are_those_of_their_last_login(promise)


def test_refunds_reduce_revenue_once_on_their_own_date(promise: Done) -> None:
    home = promise.nights
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
        ("2025-06-01", 20),
    ]


def test_a_night_without_new_files_passes_all_data_tests_and_changes_no_table(
    promise: Done,
) -> None:
    home = promise.nights.copy("promise_idle")
    home.night(data_tests=True)
    said = differences(promise.nights.tables(), home.tables())
    assert not said, "\n".join(said)


def test_business_files_that_live_elsewhere_are_as_they_were(promise: Done) -> None:
    written = (promise.nights.settings.seeds / "currency_rates.csv").read_text(encoding="utf-8")
    assert written.startswith("currency,date,rate\n")


@pytest.mark.parametrize("table", IN_ORDER_OF_DAYS)
def test_a_full_refresh_writes_visits_in_order_of_their_days(promise: Done, table: str) -> None:
    home = promise.refreshed
    of_table = "public_session_key" if table.startswith("marts.") else "session_key"
    days = home.query(
        f"select sessions.session_key >> 50 as day from {table} as written "
        f"inner join intermediate.int_all_sessions as sessions "
        f"on written.session_key = sessions.{of_table} order by written.rowid"
    )
    assert len({row["day"] for row in days}) > 20
    assert [row["day"] for row in days] == sorted(row["day"] for row in days)
