"""Sessions, people and orders of generated histories, reckoned in plain Python.

Written from docs/methods.md and the models' grain, row by row and without SQL, so that a rule that
is wrong on every path is wrong against something.
Belongs here: the reckoning. Does not belong here: reading the warehouse, comparing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.generated import (
    NO_ORDER,
    SEGMENT_ACTS,
    SEGMENT_WORDS,
    SNOWPLOW_WORDS,
    Arrival,
    History,
    Policy,
    identity,
)
from pipeline.histories import BOT, Row

# how each source but GA4 names the columns of the generic one
WORDS: dict[str, dict[str, str]] = {
    "generic": {},
    "segment": SEGMENT_WORDS,
    "snowplow": SNOWPLOW_WORDS,
}
# (visitor, start, end, date, number, events, page views, later part of a longer visit)
Session = tuple[str, datetime, datetime, date, int, int, int, bool]


@dataclass(frozen=True)
class Event:
    """An accepted event as far as the reckoning needs it."""

    identity: tuple[Any, ...]
    visitor: str
    occurred_at: datetime
    sequence: int
    name: str
    user: str | None
    order_id: str | None


@dataclass(frozen=True)
class Reckoned:
    """sessions; orders: id → time of its first purchase; purchases_without_order: how many;
    people: sets of visitors that are one user."""

    sessions: set[Session]
    orders: dict[str, datetime]
    purchases_without_order: int
    people: set[frozenset[str]]


def reckon(batch: Iterable[History], policy: Policy) -> Reckoned:
    """All of the histories, each in the order in which its rows landed."""
    events = [event for history in batch for event, _ in accepted_arrivals(history)]
    by_visitor: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_visitor[event.visitor].append(event)
    sessions: set[Session] = set()
    for visitor, theirs in by_visitor.items():
        sessions |= _sessions(visitor, theirs, policy)
    purchases = [event for event in events if event.name == "purchase"]
    orders: dict[str, datetime] = {}
    for purchase in purchases:
        if purchase.order_id is not None:
            first = orders.get(purchase.order_id, purchase.occurred_at)
            orders[purchase.order_id] = min(first, purchase.occurred_at)
    without = sum(1 for purchase in purchases if purchase.order_id is None)
    return Reckoned(sessions, orders, without, _people(by_visitor))


def accepted_arrivals(history: History) -> list[tuple[Event, Arrival]]:
    """What landed first of each identity, of the rows that are not refused."""
    found: dict[tuple[Any, ...], tuple[Event, Arrival]] = {}
    for arrival in history:
        if arrival.source in WORDS and not _is_refused(words := _in_words(arrival)):
            event = _of_words(arrival, words)
        elif (
            arrival.source == "ga4"
            and arrival.row["user_pseudo_id"] is not None
            and not arrival.row.get("privacy_info")
        ):
            event = _of_ga4(arrival.row)
        else:
            continue
        found.setdefault(event.identity, (event, arrival))
    return list(found.values())


def _in_words(arrival: Arrival) -> Row:
    """The row in the words of the generic source."""
    row = arrival.row
    if arrival.source == "generic":
        return row
    said = {ours: row[theirs] for ours, theirs in WORDS[arrival.source].items()}
    if arrival.source == "snowplow" and row["event"] != "struct":
        said["event_name"] = {"transaction": "purchase"}.get(row["event"], row["event"])
    if arrival.source == "segment":
        names = {theirs: ours for ours, theirs in SEGMENT_ACTS.items()}
        said["event_name"] = names.get(row["event"], row["event"])
    return {"sequence": None, "consent_analytics": None, **said}


def _is_refused(row: Row) -> bool:
    return (
        row["consent_analytics"] in ("denied", "false")
        or row["visitor_id"] is None
        or row["occurred_at"].startswith("yesterday")
        or row["occurred_at"] < "2015"
        or (row["user_agent"] or "").startswith(BOT)
        or row["value"] == "a lot"
        or row["currency"] == "XTS"
    )


def _of_words(arrival: Arrival, row: Row) -> Event:
    return Event(
        identity(arrival.source, arrival.row),
        row["visitor_id"],
        datetime.fromisoformat(row["occurred_at"]),
        row["sequence"] or 0,
        row["event_name"],
        row["user_id"],
        None if row["order_id"] == NO_ORDER else row["order_id"],
    )


def _of_ga4(row: Row) -> Event:
    order = row["ecommerce"]["transaction_id"]
    return Event(
        identity("ga4", row),
        row["user_pseudo_id"],
        datetime(1970, 1, 1) + timedelta(microseconds=row["event_timestamp"]),
        (row.get("batch_ordering_id") or 0) * 1_000_000,
        row["event_name"],
        row["user_id"],
        None if order == NO_ORDER else order,
    )


def _sessions(visitor: str, events: list[Event], policy: Policy) -> set[Session]:
    zone = ZoneInfo(policy.time_zone)
    events = sorted(events, key=lambda event: event.occurred_at)
    parts: dict[tuple[datetime, int], list[Event]] = {}
    started_at = before = events[0].occurred_at
    for event in events:
        if event.occurred_at - before > policy.timeout:
            started_at = event.occurred_at
        part = (event.occurred_at - started_at) // policy.longest
        parts.setdefault((started_at, part), []).append(event)
        before = event.occurred_at
    return {
        (
            visitor,
            theirs[0].occurred_at,
            theirs[-1].occurred_at,
            theirs[0].occurred_at.replace(tzinfo=UTC).astimezone(zone).date(),
            number,
            len(theirs),
            sum(1 for event in theirs if event.name == "page_view"),
            part > 0,
        )
        for number, ((_, part), theirs) in enumerate(parts.items(), start=1)
    }


def _people(by_visitor: dict[str, list[Event]]) -> set[frozenset[str]]:
    """Who ever logged in is the user of the last login; of two at one time and sequence, the
    greater user id."""
    visitors_of: dict[str, set[str]] = defaultdict(set)
    for visitor, events in by_visitor.items():
        logins = [(event.occurred_at, event.sequence, event.user) for event in events if event.user]
        user = f"user {max(logins)[2]}" if logins else f"visitor {visitor}"
        visitors_of[user].add(visitor)
    return {frozenset(visitors) for visitors in visitors_of.values()}
