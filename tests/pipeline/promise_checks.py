"""What must hold of any batch of histories behind its nights.

Belongs here: the assertions that the quick and the long test of the promise share. Does not belong
here: running the nights (shared_nights.py).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from pipeline.generated import History, drawn
from pipeline.histories import NIGHTS
from pipeline.homes import Home, Tables, Workshop, differences
from pipeline.sessions_reckoned import Reckoned
from pipeline.shared_nights import Setting, SharedNights, broken_promises

MIDWAY = 2
# what does not hang on a value version, nor on the load that brought a row
WITHOUT_VALUES = (
    "select * exclude (session_value) from marts.mart_sessions",
    "select session_key, micro_conversion, occurred_at, occurrences "
    "from marts.mart_micro_conversions",
    "select * from marts.mart_macro_conversions",
    "select * from marts.mart_daily_funnels",
)


@dataclass(frozen=True)
class Done:
    """A batch behind its nights, and what it should have come to. midway: before the third one."""

    shared: SharedNights
    midway: Home
    nights: Home
    refreshed: Home
    reckoned: Reckoned


def run(
    workshop: Workshop, setting: Setting, number: int, seed: int, as_it_is: History = ()
) -> Done:
    """So many histories, drawn from the seed."""
    batch = drawn(setting.policy, number, seed)
    shared = SharedNights(workshop, setting, batch, f"batch_{seed}", as_it_is)
    nights = shared.home("nights")
    for night in range(MIDWAY):
        shared.run_night(nights, night)
    midway = nights.copy(f"batch_{seed}_midway")
    for night in range(MIDWAY, NIGHTS):
        shared.run_night(nights, night)
    return Done(shared, midway, nights, shared.refreshed(nights), shared.reckoned())


def a_full_refresh_leaves_the_same(done: Done) -> None:
    said = broken_promises(done.shared, done.nights, done.refreshed)
    assert not said, said


def one_load_leaves_the_same(done: Done) -> None:
    def shown(home: Home) -> Tables:
        return {
            sql: Counter(tuple(row.values()) for row in home.query(sql)) for sql in WITHOUT_VALUES
        }

    said = differences(shown(done.nights), shown(done.shared.in_one_night()))
    assert not said, "\n".join(said)


def sessions_are_exact(done: Done) -> None:
    rows = done.nights.query(
        "select visitor_id, started_at, ended_at, session_date, session_number, events, "
        "page_views, is_continuation from intermediate.int_all_sessions"
    )
    ours = {tuple(row.values()) for row in rows}
    assert len(ours) == len(rows)
    wrong = ours ^ done.reckoned.sessions
    assert not wrong, sorted(wrong)[:6]


def orders_count_once(done: Done) -> None:
    rows = done.nights.query("select order_id, occurred_at from intermediate.int_macro_conversions")
    orders = {row["order_id"]: row["occurred_at"] for row in rows if row["order_id"] is not None}
    assert orders == done.reckoned.orders
    assert len(rows) - len(orders) == done.reckoned.purchases_without_order


def people_are_those_of_their_last_login(done: Done) -> None:
    people = defaultdict(set)
    for row in done.nights.query("select visitor_id, user_key from marts.mart_sessions"):
        people[row["user_key"]].add(row["visitor_id"])
    ours = {frozenset(visitors) for visitors in people.values()}
    machines = {
        row["visitor_id"]
        for row in done.nights.query(
            "select visitor_id from intermediate.int_all_sessions "
            "where visitor_id not in (select visitor_id from marts.mart_sessions)"
        )
    }
    theirs = {people - machines for people in done.reckoned.people} - {frozenset()}
    assert ours == theirs, sorted(map(sorted, ours ^ theirs))[:6]
