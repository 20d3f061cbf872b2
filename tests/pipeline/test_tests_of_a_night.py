"""A night tests what it wrote, against all that is there; what no test has seen is tested later.

Belongs here: what the data tests find behind nights, with and without tests. Does not belong here:
what a test asks (tests/dbt), whether nights equal a full refresh (test_promise.py).
"""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from pipeline.mutants import BrokenProject, Mutation
from pipeline.test_partial_nights import visit

from orchestration import dbt_runner
from orchestration.errors import IntentMapError

# one row more of a session, in tables of each way in which a night writes
DOUBLED = (
    ("intermediate.int_all_sessions", "session_key", "int_all_sessions"),
    ("intermediate.int_micro_conversions", "session_key", "int_all_sessions"),
    ("valuation.val_attribution_credits", "session_key", "val_attribution_credits"),
    ("marts.mart_sessions", "session_key", "int_all_sessions"),
    ("marts.mart_micro_conversions", "session_key", "int_all_sessions"),
)


def outcomes_of(home: Home, named: str) -> dict[str, tuple[str, int]]:
    """Tests with this in their name, run alone: how each ended, and how many rows it listed."""
    home.take_up()
    args = dbt_runner.nightly_args(home.settings)
    args = ["test", *args[1:], "--select", f"*{named}*"]
    outcomes = {}
    try:
        for event in dbt_runner.run_dbt(home.settings, args):
            data = event["data"]
            if data["node_info"]["resource_type"] == "test":
                outcomes[data["node_info"]["node_name"]] = data["status"], data["num_failures"]
    except IntentMapError as error:
        assert "fail" in {status for status, _ in outcomes.values()}, error
    assert outcomes, f"no test has {named} in its name"
    return outcomes


def failed_tests(home: Home, named: str = "unique") -> set[str]:
    """Tests with this in their name that fail when they alone are run."""
    outcomes = outcomes_of(home, named)
    return {name for name, (status, _) in outcomes.items() if status == "fail"}


def change(home: Home, *statements: str) -> None:
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def tested(workshop: Workshop) -> Home:
    """One night, with its tests."""
    home = workshop.home("tested")
    purchase = ("view_item", "add_to_cart", "purchase")
    events = visit("a", "05", *purchase) + visit("b", "05", *purchase)
    money = {"purchase": "20"}
    home.drop("generic", "first", [{**it, "value": money.get(it["event_name"])} for it in events])
    home.night(data_tests=True)
    return home


def test_a_double_is_found_in_what_was_written_and_not_looked_for_elsewhere(tested: Home) -> None:
    home = tested.copy("doubled")
    marks = home.query("select model from raw.tested")
    assert {name.split(".")[1] for name, _, _ in DOUBLED} <= {row["model"] for row in marks}
    of_a = "(select session_key from intermediate.int_all_sessions where visitor_id = 'a')"
    public = "(select public_session_key from intermediate.int_all_sessions where visitor_id = 'a')"
    doubled = [
        f"insert into {table} select * from {table} "
        f"where {key} = {public if table.startswith('marts') else of_a} limit 1"
        for table, key, _ in reversed(DOUBLED)
    ]
    receipt = (
        "insert into intermediate.int_event_receipts select * {} from "
        f"intermediate.int_event_receipts where {of_events('a')} limit 1"
    )
    change(home, *doubled, receipt.format(""))
    assert failed_tests(home) == set()
    # the same rows, once they have been written since
    noted = (
        "insert into raw.session_changes select '{}', "
        "1 + (select max(last_tested) from raw.tested), session_key, public_session_key, "
        "session_date from intermediate.int_all_sessions where visitor_id = 'a'"
    )
    change(
        home,
        *(noted.format(model) for model in {model for _, _, model in DOUBLED}),
        receipt.format("replace (load_id + 9 as load_id)"),
    )
    found = failed_tests(home)
    for table, _, _ in DOUBLED:
        assert any(table.split(".")[1] in test for test in found), (table, found)
    assert any("int_event_receipts_event_key" in test for test in found), found


EVERY_EVENT = "every_accepted_event_is_in_one_session"
NOTED = (
    "insert into raw.session_changes select 'int_all_sessions', "
    "1 + (select max(last_tested) from raw.tested), session_key, public_session_key, session_date "
    "from intermediate.int_all_sessions where visitor_id = '{}'"
)


def of_events(visitor: str) -> str:
    """Condition of a visitor's rows in tables that know it by key."""
    return (
        "visitor_key = (select distinct visitor_key from intermediate.int_all_sessions "
        f"where visitor_id = '{visitor}')"
    )


def of_visitor(visitor: str) -> str:
    """Condition of the events in sessions of a visitor, all but the first of them."""
    return f"event_number > 1 and {of_events(visitor)}"


@pytest.mark.parametrize(
    ("mishap", "statement"),
    [
        ("lost", "delete from intermediate.int_session_events where {}"),
        (
            "doubled",
            "insert into intermediate.int_session_events "
            "select * from intermediate.int_session_events where {}",
        ),
        (
            "not_counted",
            "update intermediate.int_all_sessions set events = events - 1 where visitor_id = 'a'",
        ),
    ],
)
def test_events_that_are_lost_or_doubled_are_found_whenever_it_happened(
    tested: Home, mishap: str, statement: str
) -> None:
    home = tested.copy(f"events_{mishap}")
    assert not failed_tests(home, EVERY_EVENT)
    change(home, statement.format(of_visitor("a")))
    assert failed_tests(home, EVERY_EVENT)


def test_events_that_are_exchanged_are_found_in_what_was_written(tested: Home) -> None:
    exchange = "update intermediate.int_session_events set event_key = event_key + 1 where "
    home = tested.copy("exchanged")
    # in the past, and nothing was written since
    change(home, exchange + of_visitor("a"))
    assert not failed_tests(home, EVERY_EVENT)
    change(home, NOTED.format("a"))
    assert failed_tests(home, EVERY_EVENT)


def test_events_of_a_visitor_whose_sessions_no_night_wrote_are_looked_for_too(
    tested: Home,
) -> None:
    """One that came in the place of another, without a note: its load has not been tested."""
    home = tested.copy("arrived_unnoted")
    change(
        home,
        "update intermediate.int_event_receipts set load_id = load_id + 9 where " + of_events("a"),
        "update intermediate.int_session_events set event_key = event_key + 1 where "
        + of_visitor("a"),
    )
    assert failed_tests(home, EVERY_EVENT)


def test_a_source_that_was_never_tested_is_tested_whatever_the_numbers_of_its_loads(
    tested: Home,
) -> None:
    home = tested.copy("untested_source")
    change(
        home,
        "update raw.tested set source_system = 'ga4', last_tested = 1000000 "
        "where model = 'int_event_receipts'",
        "insert into intermediate.int_event_receipts select * from "
        f"intermediate.int_event_receipts where {of_events('a')} limit 1",
    )
    assert failed_tests(home, "int_event_receipts_event_key")
    assert failed_tests(home, "every_raw_row_has_one_outcome")


def test_a_row_that_staging_loses_has_no_receipt(tested: Home) -> None:
    home = tested.copy("lost_in_staging")
    change(
        home,
        "delete from raw.tested",
        "alter view staging.stg_generic__events rename to all_rows",
        "create view staging.stg_generic__events as "
        "select * from staging.all_rows where row_number > 1",
        "delete from intermediate.int_event_receipts where row_number = 1",
    )
    assert failed_tests(home, "every_raw_row_has_one_outcome")


IN_A_LATER_LOAD = (
    "update intermediate.int_event_receipts set load_id = load_id + 9",
    "update intermediate.int_event_counts set load_id = load_id + 9",
)


COUNTED_ONCE = "every_raw_row_is_counted_once"
WRONG_RECEIPTS = {
    "accepted_values_int_event_receipts_outcome": "outcome = 'odd'",
    "not_null_int_event_receipts_reason": "outcome = 'refused'",
    COUNTED_ONCE: "outcome = 'duplicate'",
}


@pytest.mark.parametrize(("test", "broken"), WRONG_RECEIPTS.items())
def test_a_receipt_that_is_wrong_is_found_in_what_arrived(
    tested: Home, test: str, broken: str
) -> None:
    home = tested.copy(f"receipt_{test}")
    change(home, f"update intermediate.int_event_receipts set {broken} where {of_events('a')}")
    assert not failed_tests(home, test)
    change(home, *IN_A_LATER_LOAD)
    assert failed_tests(home, test)


def test_receipts_in_a_load_to_come_are_right_as_they_are(tested: Home) -> None:
    """Or the test before this one would prove nothing."""
    home = tested.copy("later_load")
    change(home, *IN_A_LATER_LOAD)
    failed = failed_tests(home, "")
    assert not [name for name in failed for test in WRONG_RECEIPTS if test in name], failed


RECONCILE, CREDIT = "totals_reconcile_with_sessions", "every_models_credit_sums"
OF_ANOTHER = {
    RECONCILE: {
        "session": "update marts.mart_sessions set campaign = 'another' where visitor_id = 'a'",
        "dimension": "update marts.mart_daily_values set visitor_type = 'another'",
        "date": "update marts.mart_daily_values set date = date + 1",
    },
    CREDIT: {
        "session": "update marts.mart_sessions set campaign = 'another' where visitor_id = 'a'",
        "dimension": "update marts.mart_attribution set channel_group = 'another'",
        "date": "update marts.mart_attribution set date = date + 1",
    },
}


@pytest.mark.parametrize(
    ("test", "mishap"),
    [(test, mishap) for test, mishaps in OF_ANOTHER.items() for mishap in mishaps],
)
def test_values_under_another_dimension_are_found_on_the_dates_that_were_written(
    tested: Home, test: str, mishap: str
) -> None:
    home = tested.copy(f"another_{test}_{mishap}")
    change(home, OF_ANOTHER[test][mishap])
    assert not failed_tests(home, test)
    change(home, NOTED.format("a"))
    assert failed_tests(home, test)


MISHAPS = {
    COUNTED_ONCE: {
        "lost": f"delete from intermediate.int_event_receipts where {of_events('a')}",
        "doubled": "insert into intermediate.int_event_receipts "
        "select * from intermediate.int_event_receipts limit 1",
        "audited": "update marts.mart_event_audit set accepted = accepted + 1 where raw > 0",
    },
    RECONCILE: {
        "lost": "delete from marts.mart_sessions where visitor_id = 'a'",
        "doubled": "insert into marts.mart_sessions select * from marts.mart_sessions limit 1",
        "money": "update marts.mart_sessions set session_value = session_value + 1",
        "conversions": "update marts.mart_sessions set hard_conversions = hard_conversions + 1",
        "spend": "update marts.mart_daily_values set cost = 1",
    },
    CREDIT: {
        "lost": "delete from marts.mart_attribution where model = 'time_decay'",
        "micro_value": "update marts.mart_micro_conversions set "
        "incremental_value = incremental_value + 1",
    },
}


@pytest.mark.parametrize(
    ("test", "mishap"),
    [(test, mishap) for test, mishaps in MISHAPS.items() for mishap in mishaps],
)
def test_what_does_not_add_up_is_found_whenever_it_happened(
    tested: Home, test: str, mishap: str
) -> None:
    home = tested.copy(f"{test}_{mishap}")
    change(home, MISHAPS[test][mishap])
    assert failed_tests(home, test)


NOT_TESTED = "macros/hooks/not_tested.sql"
DAY = "date_before(changes, 1)"
# what a test of what is written would miss, if it looked at less
TOO_NARROW = (
    (
        Mutation(
            "copies have the days of their session", NOT_TESTED, DAY, "date_before(changes, -9)"
        ),
        "is_unique_together_mart_micro_conversions",
        ("insert into marts.mart_micro_conversions from marts.mart_micro_conversions",),
    ),
    (
        Mutation(
            "dates are those of all sessions that were written",
            NOT_TESTED,
            "select changed.session_date {{ changes.noted }}",
            "select changed.session_date {{ changes.noted }} and false",
        ),
        RECONCILE,
        ("update marts.mart_sessions set campaign = 'another' where visitor_id = 'a'",),
    ),
    (
        Mutation(
            "all loads that came are looked at",
            NOT_TESTED,
            "not_tested(model_name) if way_of_writing_of(model_name) == 'loads'",
            "'false' if way_of_writing_of(model_name) == 'loads'",
        ),
        "accepted_values_int_event_receipts_outcome",
        ("update intermediate.int_event_receipts set outcome = 'odd'", *IN_A_LATER_LOAD),
    ),
)


def test_what_the_narrow_tests_break_still_stands() -> None:
    assert not [fault for mutation, _, _ in TOO_NARROW if (fault := mutation.fault())]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("mutation", "test", "statements"),
    TOO_NARROW,
    ids=[mutation.rule for mutation, _, _ in TOO_NARROW],
)
def test_a_test_that_looks_at_less_misses_what_a_night_wrote(
    tested: Home, tmp_path: Path, mutation: Mutation, test: str, statements: tuple[str, ...]
) -> None:
    project = BrokenProject(tmp_path / "project")
    home = project.home(tested, f"narrow_{test}")
    change(home, *statements, NOTED.format("a"))
    with project.broken(Mutation("nothing", mutation.file, mutation.old, f"{mutation.old} ")):
        assert failed_tests(home, test)
    with project.broken(mutation):
        assert not failed_tests(home, test)


@pytest.mark.deep
def test_what_a_night_without_tests_wrote_is_tested_by_the_next_one(tested: Home) -> None:
    home = tested.copy("untested")
    home.drop("generic", "third", visit("d", "07", "view_item", "add_to_cart", "purchase"))
    home.night()
    change(
        home,
        "insert into marts.mart_sessions select * from marts.mart_sessions where visitor_id = 'd'",
        "insert into intermediate.int_event_receipts select * from "
        f"intermediate.int_event_receipts where {of_events('d')} limit 1",
    )
    found = failed_tests(home)
    assert any("mart_sessions" in test for test in found), found
    assert any("int_event_receipts_event_key" in test for test in found), found


SPEND = {"date": "2026-03-02", "campaign": "c", "impressions": "1", "clicks": "1", "cost": "1"}
ORDER = {"order_id": "O", "value": "1", "ordered_at": "2026-03-02", "currency": ""}
WARNED = {
    "int_daily_spend__spend_rows_are_all_usable": [
        {"date": "soon"}, {"date": "2099-01-01"}, {"date": "2014-12-31"}, {"cost": "much"},
        {"impressions": "1,000"}, {"impressions": "1.5"}, {"clicks": "-1"}, {"currency": "XXX"},
        {"campaign": " c "},
    ],
    "stg_orders__orders__rows_are_all_usable": [
        {"order_id": "(not set)"}, {"value": "abc"}, {"currency": "XXX"},
        {"ordered_at": "15.03.2026"}, {"ordered_at": "2099-01-01"}, {"value": "99999999999"},
    ],
}  # fmt: skip


def test_rows_that_count_nowhere_and_words_that_nobody_knows_are_warned_of(tested: Home) -> None:
    home = tested.copy("warned")
    spend, orders = WARNED.values()
    home.drop("ad_spend", "a", [SPEND | {"currency": ""}, *(SPEND | row for row in spend)])
    home.drop("orders", "a", [ORDER, *(ORDER | row for row in orders)])
    words = ("maybe", "Denied", "yes", "")
    events = [row | {"consent_analytics": word} for word in words for row in visit(word, "06", "x")]
    home.drop("generic", "words", events)
    home.night()
    for name, rows in WARNED.items():
        assert outcomes_of(home, name) == {name: ("warn", len(rows))}
    known = "int_staged_events__consent_is_a_known_word"
    assert outcomes_of(home, known) == {known: ("warn", 1)}


def test_a_cost_that_gave_way_to_another_networks_is_warned_of(tested: Home) -> None:
    home = tested.copy("networks")
    name = "int_daily_spend__no_day_is_told_by_files_of_two_kinds"

    def land(file: str, **costs: int) -> None:
        rows = [SPEND | {"currency": "", "campaign": it, "cost": costs[it]} for it in costs]
        home.drop("ad_spend", file, rows)
        home.land()

    land("google_2026-03-02", one=5, both=5, alike=3)
    land("google 2026-03-03 (1)", one=6, both=6, alike=3)
    home.night()
    assert outcomes_of(home, name) == {name: ("pass", 0)}
    land("meta_2026-03-02", both=7, alike=3, other=2)
    home.night()
    assert outcomes_of(home, name) == {name: ("warn", 1)}
    # back and forth: whichever counts, the other's cost is missing
    land("google_2026-03-04", one=8, both=5, alike=3)
    home.night()
    assert outcomes_of(home, name) == {name: ("warn", 1)}
    change(
        home,
        "update raw.ad_spend set landed_at = landed_at - interval 29 day "
        "where file_name like '%meta%'",
    )
    assert outcomes_of(home, name) == {name: ("pass", 0)}


def test_campaigns_of_the_settings_that_nothing_names_are_warned_of(tested: Home) -> None:
    home = tested.copy("settings")
    home.drop("ad_spend", "a", [SPEND | {"currency": ""}])
    home.night()
    name = "mart_bidding_targets__campaigns_of_settings_are_met"
    assert outcomes_of(home, name) == {name: ("pass", 0)}
    change(
        home,
        "insert into seeds.campaign_settings values "
        "('c', 'macro', 2), ('C', 'macro', 2), ('gone', 'micro', null)",
    )
    assert outcomes_of(home, name) == {name: ("warn", 2)}


def test_an_order_has_the_rate_of_its_date_in_the_reporting_time_zone(tested: Home) -> None:
    home = tested.copy("rated")
    # the first of the two is the last second before the rate's first day in Tokyo
    moments = ("2026-03-01 14:59:59", "2026-03-01 15:00:00")
    home.drop(
        "orders",
        "rated",
        [ORDER | {"order_id": at, "ordered_at": at, "currency": "EUR"} for at in moments],
    )
    home.night()
    change(home, "insert into seeds.currency_rates values ('EUR', date '2026-03-02', 1.1)")
    name = "stg_orders__orders__rows_are_all_usable"
    assert outcomes_of(home, name) == {name: ("warn", 2)}
    shop = Home(home.path, replace(home.settings, dbt_vars={"reporting_time_zone": "Asia/Tokyo"}))
    assert outcomes_of(shop, name) == {name: ("warn", 1)}
