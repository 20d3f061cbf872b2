"""A night tests what it wrote, against all that is there; what no test has seen is tested later.

Belongs here: what the data tests find behind nights, with and without tests. Does not belong here:
what a test asks (tests/dbt), whether nights equal a full refresh (test_promise.py).
"""

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from pipeline.test_partial_nights import visit

from orchestration import dbt_runner
from orchestration.errors import IntentMapError

# one row more of a session, in tables of each way in which a night writes
DOUBLED = (
    ("intermediate.int_all_sessions", "session_key", "int_all_sessions"),
    ("intermediate.int_micro_conversions", "session_key", "int_all_sessions"),
    ("valuation.val_attribution_credits", "session_key", "val_attribution_credits"),
    ("marts.mart_sessions", "session_key", "int_all_sessions"),
)


def failed_tests(home: Home) -> set[str]:
    """The tests of uniqueness that fail when the tests alone are run."""
    home.take_up()
    args = dbt_runner.nightly_args(home.settings)
    args = ["test", *args[1:]]
    failed = set()
    events = dbt_runner.run_dbt(home.settings, args)
    try:
        for event in events:
            if event["data"]["status"] == "fail":
                failed.add(event["data"]["node_info"]["node_name"])
    except IntentMapError as error:
        assert failed, error
    return {name for name in failed if "unique" in name}


def change(home: Home, *statements: str) -> None:
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def tested(workshop: Workshop) -> Home:
    """One night, with its tests."""
    home = workshop.home("tested")
    purchase = ("view_item", "add_to_cart", "purchase")
    home.drop("generic", "first", visit("a", "05", *purchase) + visit("b", "05", *purchase))
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
        "intermediate.int_event_receipts where visitor_id = 'a' limit 1"
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


@pytest.mark.deep
def test_what_a_night_without_tests_wrote_is_tested_by_the_next_one(tested: Home) -> None:
    home = tested.copy("untested")
    home.drop("generic", "third", visit("d", "07", "view_item", "add_to_cart", "purchase"))
    home.night()
    change(
        home,
        "insert into marts.mart_sessions select * from marts.mart_sessions where visitor_id = 'd'",
        "insert into intermediate.int_event_receipts select * from "
        "intermediate.int_event_receipts where visitor_id = 'd' limit 1",
    )
    found = failed_tests(home)
    assert any("mart_sessions" in test for test in found), found
    assert any("int_event_receipts_event_key" in test for test in found), found
