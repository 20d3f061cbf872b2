"""The generated histories hold what the promise is about, and a failing one becomes small."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from pipeline.conftest import GENERATED, SETTING
from pipeline.generated import DAY, MICROSECOND, NIGHTS, Arrival, History, drawn, shrunk
from pipeline.histories import generic_event
from pipeline.sessions_reckoned import Event, accepted_arrivals

POLICY = SETTING.policy


@dataclass(frozen=True)
class Visit:
    """A visit's accepted events in order of time, with the load that brought each."""

    events: list[tuple[Event, int]]

    @property
    def times(self) -> list[datetime]:
        return [event.occurred_at for event, _ in self.events]


def visits_of(history: History) -> Iterator[Visit]:
    by_visitor: dict[str, list[tuple[Event, int]]] = defaultdict(list)
    for event, arrival in accepted_arrivals(history):
        by_visitor[event.visitor].append((event, arrival.slot))
    for theirs in by_visitor.values():
        theirs.sort(key=lambda pair: pair[0].occurred_at)
        visit = theirs[:1]
        for before, after in pairwise(theirs):
            if after[0].occurred_at - before[0].occurred_at > POLICY.timeout:
                yield Visit(visit)
                visit = []
            visit.append(after)
        yield Visit(visit)


def kinds_of_visit(visit: Visit) -> Iterator[str]:
    times, slots = visit.times, [slot for _, slot in visit.events]
    local = [moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone()) for moment in times]
    gaps = {after - before for before, after in pairwise(times)}
    if POLICY.timeout in gaps:
        yield "a gap of exactly the timeout"
    if POLICY.timeout - MICROSECOND in gaps:
        yield "a gap a microsecond shorter"
    if timedelta() in gaps:
        yield "events at one time"
    if times[-1] - times[0] >= POLICY.longest:
        yield "longer than the longest"
    if local[0].date() != local[-1].date():
        yield "over midnight"
    if (local[0].month, local[0].day) != (local[-1].month, local[-1].day) and local[-1].day == 1:
        yield "over the end of a month"
    if local[0].year != local[-1].year:
        yield "over the end of a year"
    if local[0].utcoffset() != local[-1].utcoffset():
        yield "over the change of the clocks"
    for place in range(1, len(times) - 1):
        is_last = slots[place] > max(slots[:place] + slots[place + 1 :])
        if is_last and times[place + 1] - times[place - 1] > POLICY.timeout:
            yield "two visits joined by a late event"
        if is_last and times[place + 1] - times[place - 1] <= POLICY.timeout:
            yield "a late event within a visit"
    if len(slots) > 1 and slots[0] > max(slots[1:]):
        yield "an earlier start that comes last"


def zone() -> ZoneInfo:
    return ZoneInfo(POLICY.time_zone)


def kinds_of(history: History) -> Iterator[str]:
    for visit in visits_of(history):
        yield from kinds_of_visit(visit)
    accepted = list(accepted_arrivals(history))
    users, orders = defaultdict(set), defaultdict(set)
    for event, _ in accepted:
        if event.user:
            users[event.visitor].add(event.user)
        if event.order_id and event.name == "purchase":
            orders[event.order_id].add((event.visitor, event.occurred_at))
    if any(len(theirs) > 1 for theirs in users.values()):
        yield "two logins on one device"
    if max(Counter(user for theirs in users.values() for user in theirs).values(), default=0) > 1:
        yield "two visitors of one user"
    for purchases in orders.values():
        times = [moment for _, moment in purchases]
        if len({visitor for visitor, _ in purchases}) > 1:
            yield "an order of two visitors"
        if max(times) - min(times) >= 300 * DAY:
            yield "an order again after a year"
    times = [(event.occurred_at, arrival.slot) for event, arrival in accepted]
    if any(a[0] - b[0] > 300 * DAY and a[1] < b[1] for a in times for b in times):
        yield "a row that is a year late"
    sources = {arrival.source for _, arrival in accepted}
    if {"generic", "ga4"} <= sources:
        yield "two sources"
    rows = Counter(repr(arrival.row) for arrival in history)
    if max(rows.values(), default=0) > 1:
        yield "a row that comes twice"
    for source in ("ad_spend", "orders"):
        keys = Counter(
            arrival.row.get("order_id", arrival.row.get("date"))
            for arrival in history
            if arrival.source == source
        )
        if max(keys.values(), default=0) > 1:
            yield f"restated {source}"
    if len({arrival.slot for arrival in history}) > NIGHTS:
        yield "more loads than nights"


def test_generated_histories_hold_every_case() -> None:
    batch = drawn(POLICY, GENERATED, 1)
    held = Counter(kind for history in batch for kind in set(kinds_of(history)))
    wanted = {
        *("a gap of exactly the timeout", "a gap a microsecond shorter", "events at one time"),
        *("longer than the longest", "over midnight", "over the change of the clocks"),
        *("over the end of a month", "over the end of a year"),
        *("two visits joined by a late event", "a late event within a visit"),
        *("an earlier start that comes last", "two logins on one device"),
        *("two visitors of one user", "an order of two visitors", "an order again after a year"),
        *("a row that is a year late", "two sources", "a row that comes twice"),
        *("restated ad_spend", "restated orders", "more loads than nights"),
    }
    assert len(batch) >= GENERATED
    assert wanted <= held.keys(), held


def test_the_same_seed_draws_the_same_histories() -> None:
    assert drawn(POLICY, 20, 5) == drawn(POLICY, 20, 5) != drawn(POLICY, 20, 6)


def test_a_failing_history_is_made_as_small_as_it_can_be() -> None:
    """A stand-in for the nights: a purchase that comes in a later load than a login is wrong."""

    def is_wrong(history: History) -> bool:
        logins = [a.slot for a in history if a.row.get("event_name") == "login"]
        purchases = [a.slot for a in history if a.row.get("event_name") == "purchase"]
        return bool(logins and purchases and max(purchases) > min(logins))

    history = next(h for h in drawn(POLICY, 75, 8) if is_wrong(h) and len(h) > 9)
    tries = []

    def failing(batch: list[History]) -> list[int]:
        tries.append(len(batch))
        return [number for number, smaller in enumerate(batch) if is_wrong(smaller)]

    smallest = shrunk(history, failing)
    assert sorted(arrival.row["event_name"] for arrival in smallest) == ["login", "purchase"]
    assert {arrival.slot for arrival in smallest} == {0, 1}
    assert len(tries) < 25


def test_a_history_that_fails_only_as_it_is_stays() -> None:
    history = (Arrival(0, "generic", generic_event("a", datetime(2025, 5, 5), "page_view")),)
    assert shrunk(history, lambda batch: []) == history
