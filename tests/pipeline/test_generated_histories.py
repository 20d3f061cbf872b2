"""The promise over generated histories: nights, killed or not, against one full refresh, against
one load in another order, and against sessions reckoned in plain Python."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pipeline.generated import drawn
from pipeline.homes import Home, Tables, Workshop, differences
from pipeline.sessions_reckoned import Reckoned
from pipeline.shared_nights import WITHOUT_VALUES, Setting, SharedNights, broken_promises

QUICK = Setting(
    "clocks of New York, visits of an hour at most, two nights killed",
    {"reporting_time_zone": "America/New_York", "session_maximum_hours": 1},
    # the night after the first one finds what was left, the other one is run again
    killed={2: (24,), 3: (9, 40)},
    abandoned={2},
)
DEEP = (
    Setting("as shipped"),
    Setting(
        "clocks of Berlin, visits of an hour at most, killed",
        {"reporting_time_zone": "Europe/Berlin", "session_maximum_hours": 1},
        killed={0: (15,), 1: (5, 30), 2: (20, 45), 3: (35,)},
        abandoned={1},
    ),
    Setting(
        "clocks of New York, the longest timeout, killed",
        {
            "reporting_time_zone": "America/New_York",
            "session_timeout_minutes": 475,
            "attribution_look_back_days": 365,
        },
        killed={1: (50,), 2: (12, 28), 3: (3, 18, 38, 55)},
        abandoned={1, 2},
    ),
    Setting(
        "a timeout of one minute, one session at a time",
        {
            "session_timeout_minutes": 1,
            "conversion_scope": "session",
            "trial_unit": "user",
            "look_back_days": 1095,
            "horizon_days": 0,
        },
    ),
    Setting("half hours of Lord Howe", {"reporting_time_zone": "Australia/Lord_Howe"}),
)
HISTORIES_OF_A_SETTING = 1_050


@dataclass(frozen=True)
class Done:
    """A batch behind its nights, and behind a full refresh of the same loads."""

    shared: SharedNights
    nights: Home
    refreshed: Home
    reckoned: Reckoned


def run(workshop: Workshop, setting: Setting, number: int, seed: int) -> Done:
    batch = drawn(setting.policy, number, seed)
    shared = SharedNights(workshop, setting, batch, f"batch_{seed}")
    nights = shared.night_after_night()
    return Done(shared, nights, shared.refreshed(nights), shared.reckoned())


@pytest.fixture(scope="module")
def quick(workshop: Workshop) -> Done:
    return run(workshop, QUICK, 150, seed=1)


@pytest.fixture(scope="module", params=range(len(DEEP)), ids=[setting.name for setting in DEEP])
def deep(workshop: Workshop, request: pytest.FixtureRequest) -> Iterator[Done]:
    return run(workshop, DEEP[request.param], HISTORIES_OF_A_SETTING, seed=100 + request.param)


def sessions_are_exact(done: Done) -> None:
    rows = done.nights.query(
        "select visitor_id, started_at, ended_at, session_number, events, page_views, "
        "is_continuation from intermediate.int_sessions"
    )
    ours = {tuple(row.values()) for row in rows}
    assert len(ours) == len(rows)
    theirs = done.reckoned.sessions
    assert ours == theirs, sorted(ours ^ theirs)[:6]


def orders_count_once(done: Done) -> None:
    rows = done.nights.query("select order_id, occurred_at from intermediate.int_macro_conversions")
    orders = {row["order_id"]: row["occurred_at"] for row in rows if row["order_id"] is not None}
    assert orders == done.reckoned.orders
    assert len(rows) - len(orders) == done.reckoned.purchases_without_order


def people_are_those_of_their_last_login(done: Done) -> None:
    people = defaultdict(set)
    for row in done.nights.query("select visitor_id, user_key from marts.mart_sessions"):
        people[row["user_key"]].add(row["visitor_id"])
    unclear = done.reckoned.unclear
    ours = {frozenset(visitors - unclear) for visitors in people.values()}
    assert ours - {frozenset()} == done.reckoned.people


def one_load_leaves_the_same(done: Done) -> None:
    def shown(home: Home) -> Tables:
        return {
            sql: Counter(tuple(row.values()) for row in home.query(sql)) for sql in WITHOUT_VALUES
        }

    said = differences(shown(done.nights), shown(done.shared.in_one_night()))
    assert not said, "\n".join(said)


def test_killed_nights_over_generated_histories_leave_what_a_full_refresh_leaves(
    quick: Done,
) -> None:
    said = broken_promises(quick.shared, quick.nights, quick.refreshed)
    assert not said, said


def test_sessions_of_generated_histories_are_those_reckoned_without_sql(quick: Done) -> None:
    sessions_are_exact(quick)
    orders_count_once(quick)
    people_are_those_of_their_last_login(quick)


def test_one_load_in_any_order_leaves_what_the_nights_leave(quick: Done) -> None:
    one_load_leaves_the_same(quick)


@pytest.mark.deep
def test_more_than_five_thousand_histories_leave_what_a_full_refresh_leaves(deep: Done) -> None:
    assert len(DEEP) * HISTORIES_OF_A_SETTING >= 5_000
    assert len(deep.shared.batch) >= HISTORIES_OF_A_SETTING
    said = broken_promises(deep.shared, deep.nights, deep.refreshed)
    assert not said, said


@pytest.mark.deep
def test_more_than_five_thousand_histories_have_the_sessions_reckoned_without_sql(
    deep: Done,
) -> None:
    sessions_are_exact(deep)
    orders_count_once(deep)
    people_are_those_of_their_last_login(deep)


@pytest.mark.deep
def test_more_than_five_thousand_histories_in_one_load_leave_the_same(deep: Done) -> None:
    one_load_leaves_the_same(deep)
