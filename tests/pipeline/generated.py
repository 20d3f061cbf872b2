"""Generated histories: what happens to a few visitors, and on which nights it arrives.

hypothesis draws each history on its own. Many of them share a warehouse: each has names of its own
for visitors, users, orders, events and campaigns, so none touches another.
Belongs here: drawing histories, giving them names, making them smaller. Does not belong here:
running nights (homes.py), what the rows should come to (sessions_reckoned.py, the tests).
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pipeline.histories import BOT, NIGHTS, Arrivals, Row, ga4_event, generic_event

# a night lands two files of a source, so that a load is not a night
LOADS = 2
SLOTS = NIGHTS * LOADS
# whose rows are events; of spend and orders the last row counts, of these the first
EVENT_SOURCES = ("generic", "ga4", "segment", "snowplow")
NAMED = (
    *("visitor_id", "user_pseudo_id", "anonymous_id", "domain_userid", "user_id"),
    *("event_id", "id", "order_id", "tr_orderid"),
    *("campaign", "context_campaign_name", "mkt_campaign"),
)
NO_ORDER = "(not set)"
PORTION = 25

MICROSECOND = timedelta(microseconds=1)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# around these lie midnight and the change of the clocks in Berlin, New York and on Lord Howe, the
# end of a month, of a leap February and of a year
ANCHORS = tuple(
    datetime.fromisoformat(text)
    for text in (
        *("2025-05-05 10:00:00", "2025-05-05 23:40:00", "2025-05-05 21:45:00"),
        *("2025-05-06 03:50:00", "2025-03-30 00:45:00", "2025-10-26 00:40:00"),
        *("2025-03-09 06:45:00", "2025-11-02 05:40:00", "2025-01-31 22:40:00"),
        *("2024-02-29 23:50:00", "2024-12-31 22:50:00", "2024-12-31 23:59:59.999999"),
        *("2025-02-01 04:50:00", "2025-01-01 04:45:00", "2025-04-05 14:50:00"),
    )
)
ACTS = (
    *("page_view", "page_view", "view_item", "scroll", "gallery_next", "gallery_next", "search"),
    *(
        "search",
        "sign_up",
        "add_to_cart",
        "begin_checkout",
        "purchase",
        "purchase",
        "purchase",
        "login",
    ),
)
FATES = (
    *("once", "once", "once", "once", "twice in a load", "again", "again", "other words"),
    *("refused, then right", "right, then refused", "refused"),
)
REFUSALS: tuple[Row, ...] = (
    {"consent_analytics": "denied"},
    {"occurred_at": "yesterday"},
    {"user_agent": BOT},
    {"value": "a lot"},
    {"value": "5", "currency": "XTS"},
)
# column of a generic row → of the same in another source
SEGMENT_WORDS = {
    "event_id": "id",
    "visitor_id": "anonymous_id",
    "user_id": "user_id",
    "occurred_at": "timestamp",
    "event_name": "event",
    "page_url": "context_page_url",
    "value": "revenue",
    "currency": "currency",
    "order_id": "order_id",
    "source": "context_campaign_source",
    "medium": "context_campaign_medium",
    "campaign": "context_campaign_name",
    "user_agent": "context_user_agent",
    "consent_analytics": "context_consent_category_preferences_analytics",
}
SNOWPLOW_WORDS = {
    "event_id": "event_id",
    "visitor_id": "domain_userid",
    "user_id": "user_id",
    "occurred_at": "collector_tstamp",
    "event_name": "se_action",
    "page_url": "page_url",
    "value": "tr_total",
    "currency": "tr_currency",
    "order_id": "tr_orderid",
    "source": "mkt_source",
    "medium": "mkt_medium",
    "campaign": "mkt_campaign",
    "session_id": "domain_sessionid",
    "user_agent": "useragent",
}
SEGMENT_ACTS = {
    "view_item": "product_viewed",
    "add_to_cart": "product_added",
    "begin_checkout": "checkout_started",
    "purchase": "order_completed",
}
TRAFFIC = (
    *((None, None, None), (None, None, None), (None, None, None), ("google", "organic", None)),
    *(("google", "cpc", "sale"), ("newsletter", "email", "weekly"), ("(direct)", "(none)", None)),
)
SPENDING = ("google", "cpc", "sale")


@dataclass(frozen=True)
class Arrival:
    """One row of a source, in the load `slot`: its night is slot // LOADS."""

    slot: int
    source: str
    row: Row


# in the order in which the rows stand in their files
History = tuple[Arrival, ...]


@dataclass(frozen=True)
class Policy:
    """What decides where visits end, and on which date they begin: histories lie close to it."""

    timeout: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=24)
    time_zone: str = "UTC"


def histories(policy: Policy) -> st.SearchStrategy[History]:
    """One to three visitors, five to sixteen events with all that can happen to their rows."""
    near_the_policy = (
        *(timedelta(), timedelta(), MICROSECOND, policy.timeout - MICROSECOND, policy.timeout),
        *(policy.timeout, policy.timeout + MICROSECOND, policy.timeout + MINUTE),
        *(policy.timeout / 2, policy.longest - policy.timeout, policy.longest),
        *(timedelta(hours=7), DAY, 30 * DAY, 365 * DAY, 365 * DAY),
    )
    gap = st.one_of(
        st.sampled_from(near_the_policy),
        st.integers(0, 29 * 60).map(lambda seconds: timedelta(seconds=seconds)),
    )
    slot = st.integers(0, SLOTS - 1)
    step = st.fixed_dictionaries(
        {
            "gap": gap,
            "visitor": st.sampled_from("aaabbc"),
            "act": st.sampled_from(ACTS),
            "source": st.sampled_from(("generic", "generic", "generic", *EVENT_SOURCES[1:])),
            "has_id": st.booleans(),
            "sequence": st.sampled_from((None, None, 1, 2, 3)),
            "user": st.sampled_from((None, None, None, None, None, "u", "v")),
            "order": st.sampled_from((None, NO_ORDER, "1", "1", "2")),
            "currency": st.sampled_from((None, None, "USD", "EUR")),
            "traffic": st.sampled_from(TRAFFIC),
            "session": st.sampled_from((None, 1, 1, 2)),
            "amount": st.integers(1, 900),
            "fate": st.sampled_from(FATES),
            "refusal": st.sampled_from(REFUSALS),
            "slot": slot,
            "other_slot": slot,
        }
    )
    spend = st.tuples(slot, st.sampled_from(("05-05", "05-06", "03-30")), st.integers(1, 90))
    order = st.tuples(slot, st.sampled_from("12"), st.integers(1, 900), st.booleans())
    return st.builds(
        _history,
        st.sampled_from(ANCHORS),
        st.lists(step, min_size=5, max_size=16),
        st.lists(spend, max_size=3),
        st.lists(order, max_size=3),
    )


def _history(
    anchor: datetime,
    steps: Sequence[Mapping[str, Any]],
    spend: Sequence[tuple[int, str, int]],
    orders: Sequence[tuple[int, str, int, bool]],
) -> History:
    arrivals: list[Arrival] = []
    moment = anchor
    for number, step in enumerate(steps):
        # the first event is at the anchor itself, so that what follows soon lies around it
        moment += step["gap"] if number else timedelta()
        if moment.year > 2025:
            moment = anchor - 400 * DAY
        arrivals += (
            _ga4_rows(number, moment, step)
            if step["source"] == "ga4"
            else _rows(number, moment, step)
        )
    source, medium, campaign = SPENDING
    for slot, day, cost in spend:
        row = {"date": f"2025-{day}", "source": source, "medium": medium, "campaign": campaign}
        row |= {"impressions": 100 * cost, "clicks": cost, "cost": str(cost)}
        arrivals.append(Arrival(slot, "ad_spend", row))
    for slot, order, value, is_cancelled in orders:
        row = {"order_id": order, "ordered_at": "2025-05-05 10:00:00", "value": str(value)}
        row |= {"currency": "USD", "status": "cancelled" if is_cancelled else "paid"}
        arrivals.append(Arrival(slot, "orders", row))
    return tuple(sorted(arrivals, key=lambda arrival: arrival.slot))


def _rows(number: int, moment: datetime, step: Mapping[str, Any]) -> list[Arrival]:
    source, medium, campaign = step["traffic"]
    is_order = step["act"] == "purchase"
    row = generic_event(
        step["visitor"],
        moment,
        step["act"],
        # descending, so that neither id nor order of arrival is the order of time
        event_id=f"{99 - number}" if step["has_id"] or step["act"] == "login" else None,
        sequence=step["sequence"],
        user_id=step["user"] or ("u" if step["act"] == "login" else None),
        page_url=f"https://shop.example/{number}" if number % 2 else None,
        properties={"percent_scrolled": 25 * (step["amount"] % 5)},
        value=str(step["amount"]) if is_order else None,
        currency=step["currency"] if is_order else None,
        order_id=step["order"] if is_order else None,
        source=source,
        medium=medium,
        campaign=campaign,
        session_id=step["session"] and f"visit {step['session']}",
    )
    refused = {**row, **step["refusal"]}
    words = {**row, "event_name": "purchase", "value": "7", "occurred_at": str(moment + 3 * MINUTE)}
    # without an id of its own, a row of other words is another event
    of_source = {"generic": dict, "segment": _in_segment, "snowplow": _in_snowplow}[step["source"]]
    return _fated(step, step["source"], of_source(row), of_source(refused), of_source(words))


def _in_segment(row: Row) -> Row:
    """A generic row as a track call says it; it has no sequence and no session."""
    said = {theirs: row[ours] for ours, theirs in SEGMENT_WORDS.items()}
    said["event"] = SEGMENT_ACTS.get(row["event_name"], row["event_name"])
    if row["consent_analytics"] == "denied":
        said["context_consent_category_preferences_analytics"] = "false"
    return {**said, **json.loads(row["properties"])}


def _in_snowplow(row: Row) -> Row:
    """A generic row as a tracker says it: page views and transactions have events of their own,
    and there is no consent, so who denies it is a machine."""
    said = {theirs: row[ours] for ours, theirs in SNOWPLOW_WORDS.items()}
    own = {"page_view": "page_view", "purchase": "transaction"}.get(row["event_name"])
    said |= {"event": own or "struct", "se_action": None if own else row["event_name"]}
    if row["consent_analytics"] == "denied":
        said["useragent"] = BOT
    return said


def _ga4_rows(number: int, moment: datetime, step: Mapping[str, Any]) -> list[Arrival]:
    source, medium, campaign = step["traffic"]
    given = {"source": source, "medium": medium, "campaign": campaign}
    params: Row = {key: value for key, value in given.items() if value is not None}
    is_order = step["act"] == "purchase"
    if step["act"] == "scroll":
        params["percent_scrolled"] = 25 * (step["amount"] % 5)
    if is_order and step["currency"]:
        params["currency"] = step["currency"]
    if step["session"]:
        params["ga_session_id"] = step["session"]
    row = ga4_event(
        step["visitor"],
        moment,
        step["act"],
        params,
        step["user"] or ("v" if step["act"] == "login" else None),
        float(step["amount"]) if is_order else None,
        step["order"] if is_order else None,
        batch_ordering_id=step["sequence"],
    )
    refused = {**row, "privacy_info": {"analytics_storage": "No"}}
    words = {**row, "device": {"category": "tablet"}, "geo": {"country": "Peru"}}
    return _fated(step, "ga4", row, refused, words)


def _fated(
    step: Mapping[str, Any], source: str, row: Row, refused: Row, words: Row
) -> list[Arrival]:
    first, last = sorted((step["slot"], step["other_slot"]))
    rows = {
        "once": [(step["slot"], row)],
        "twice in a load": [(step["slot"], row), (step["slot"], row)],
        "again": [(first, row), (last, row)],
        "other words": [(first, row), (last, words)],
        "refused, then right": [(first, refused), (last, row)],
        "right, then refused": [(first, row), (last, refused)],
        "refused": [(step["slot"], refused)],
    }[step["fate"]]
    return [Arrival(slot, source, kept) for slot, kept in rows]


def as_history(arrivals: Arrivals) -> History:
    """Written by hand, night by night."""
    return tuple(
        Arrival(night * LOADS, source, row)
        for night, sources in sorted(arrivals.rows.items())
        for source, rows in sources.items()
        for row in rows
    )


def drawn(policy: Policy, number: int, seeded_by: int) -> list[History]:
    """So many histories, drawn by hypothesis one by one; the same ones for the same seed and the
    same test modules, in whose constants it looks for values to try."""
    found: list[History] = []
    # in portions, since the longer hypothesis draws, the more it varies what it drew before
    for portion in range(-(-number // PORTION)):

        @seed(f"{seeded_by} {portion}")
        @settings(
            max_examples=min(PORTION, number - len(found)),
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(histories(policy))
        def take(history: History) -> None:
            found.append(history)

        take()
    return found


def named(batch: Sequence[History]) -> dict[str, History]:
    """Each history under a name of its own, which all its visitors, users, orders, events and
    campaigns begin with."""
    return {name: _renamed(history, name) for name, history in _with_names(batch)}


def _with_names(batch: Sequence[History]) -> Iterable[tuple[str, History]]:
    return ((f"h{number:05d}:", history) for number, history in enumerate(batch))


def _renamed(history: History, name: str) -> History:
    return tuple(replace(arrival, row=_row_named(arrival.row, name)) for arrival in history)


def _row_named(row: Row, name: str) -> Row:
    named_row = {
        column: f"{name}{value}"
        if column in NAMED and value is not None and value != NO_ORDER
        else value
        for column, value in row.items()
    }
    if row.get("event_params"):
        named_row["event_params"] = [
            {"key": "campaign", "value": {"string_value": name + param["value"]["string_value"]}}
            if param["key"] == "campaign"
            else param
            for param in row["event_params"]
        ]
    order = (row.get("ecommerce") or {}).get("transaction_id")
    if order is not None and order != NO_ORDER:
        named_row["ecommerce"] = {**row["ecommerce"], "transaction_id": f"{name}{order}"}
    return named_row


def files_by_night(batch: Iterable[History]) -> dict[int, dict[tuple[str, str], list[Row]]]:
    """Night → (source, file name) → rows."""
    nights: dict[int, dict[tuple[str, str], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for history in batch:
        for arrival in history:
            night, load = divmod(arrival.slot, LOADS)
            nights[night][arrival.source, f"night_{night}_{load}"].append(arrival.row)
    return nights


def in_one_load(batch: Iterable[History], shuffled_by: int) -> dict[tuple[str, str], list[Row]]:
    """(source, file name) → rows of all nights as one, in any order but for what hangs on the
    order of loads: of rows with one identity the first counts, of spend and orders the last."""
    rng = random.Random(shuffled_by)
    files: dict[tuple[str, str], list[Row]] = defaultdict(list)
    rows: dict[str, list[Row]] = defaultdict(list)
    for history in batch:
        for arrival in history:
            if arrival.source in EVENT_SOURCES:
                rows[arrival.source].append(arrival.row)
            else:
                files[arrival.source, f"slot_{arrival.slot}"].append(arrival.row)
    for source, ordered in rows.items():
        places = list(range(len(ordered)))
        rng.shuffle(places)
        places_of: dict[Any, list[int]] = defaultdict(list)
        for row, place in zip(ordered, places, strict=True):
            places_of[identity(source, row)].append(place)
        mixed: list[Row] = [{}] * len(ordered)
        taken = {key: iter(sorted(kept)) for key, kept in places_of.items()}
        for row in ordered:
            mixed[next(taken[identity(source, row)])] = row
        files[source, "all"] = mixed
    return files


def identity(source: str, row: Row) -> tuple[Any, ...]:
    """What makes two rows one event."""
    if source == "generic" and row["event_id"] is not None:
        return source, row["event_id"]
    if source == "generic":
        said = (
            *("visitor_id", "occurred_at", "event_name", "user_id", "page_url", "properties"),
            *("value", "currency", "order_id", "source", "medium", "campaign", "sequence"),
            "session_id",
        )
        return source, *(row[column] for column in said)
    if source == "segment":
        said = (
            *("anonymous_id", "user_id", "event", "timestamp", "context_page_url", "order_id"),
            "percent_scrolled",
        )
        return (source, row["id"]) if row["id"] else (source, *(row[column] for column in said))
    if source == "snowplow":
        said = ("domain_userid", "event", "se_action", "collector_tstamp", "page_url")
        own = row["event_id"]
        return (source, own) if own else (source, *(row[column] for column in said))
    batch = row.get("batch_ordering_id")
    # where the visit came from is known to the daily export only
    came_from = ("source", "medium", "campaign")
    params = sorted(repr(param) for param in row["event_params"] if param["key"] not in came_from)
    return source, row["user_pseudo_id"], row["event_timestamp"], row["event_name"], batch, *params


def shrunk(history: History, failing: Callable[[list[History]], list[int]]) -> History:
    """The smallest history found that still fails.

    A single try costs as much as hundreds, so not one smaller history is tried after the other, as
    hypothesis does, but a whole generation at once; failing names those that fail.
    """
    while smaller := _smaller(history):
        still = failing(smaller)
        if not still:
            break
        history = smaller[min(still)]
    return history


def _smaller(history: History) -> list[History]:
    """The history without some of its rows, on fewer loads, or with fewer words; smallest first."""
    found: list[History] = []
    length = len(history) // 2
    while length:
        for start in range(0, len(history), length):
            found.append((*history[:start], *history[start + length :]))
        length //= 2
    for slot in sorted({arrival.slot for arrival in history} - {0}):
        fewer = (
            replace(arrival, slot=arrival.slot - 1) if arrival.slot >= slot else arrival
            for arrival in history
        )
        found.append(tuple(sorted(fewer, key=lambda arrival: arrival.slot)))
    for place, arrival in enumerate(history):
        for columns in (("user_id",), ("source", "medium", "campaign"), ("page_url", "properties")):
            if any(arrival.row.get(column) is not None for column in columns):
                row = {**arrival.row, **dict.fromkeys(columns)}
                plainer = replace(arrival, row={key: row[key] for key in arrival.row})
                found.append((*history[:place], plainer, *history[place + 1 :]))
    return [smaller for smaller in found if smaller and smaller != history]


def told(history: History) -> str:
    """The history in words: load by load what arrives, without empty columns."""
    lines = []
    for arrival in history:
        said = {key: value for key, value in arrival.row.items() if value not in (None, [], {})}
        lines.append(f"  load {arrival.slot} {arrival.source} {said}")
    return "\n".join(lines)
