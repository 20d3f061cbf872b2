"""Snowplow's web events of other authors, through the real nightly: their 18 sessions.

What is the project's own here: reading the file, one event per event id, times, the tracker's
session ids. Four of the peers' rules are no rules of the project and are applied below, on top of
`int_events`: events sent more than 3 days after their creation are dropped, a session is cut 3 days
after its first collector time, it needs a page event with a page id that is not a bot's, and one
that begins with a ping began 5 seconds earlier. Of two copies of an event the peers keep the one
that was collected first, the project the one that landed first.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pipeline.homes import Home, Workshop

LONGEST = timedelta(days=3)
PING = timedelta(seconds=5)
FIRST_DAY = datetime(2020, 7, 3)
PAGE_EVENTS = ("page_view", "page_ping")
BOTS = "contexts_com_iab_snowplow_spiders_and_robots_1_0_0"

Row = dict[str, str]
# session id, first page view → start, end, events, page views
Session = tuple[str, datetime, datetime, int, int]


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Row]:
    file = shared_data / "snowplow_web" / "source" / "snowplow_web_events.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> list[Session]:
    file = shared_data / "snowplow_web" / "expected" / "snowplow_web_sessions_expected.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return sorted(
            (
                row["domain_sessionid"],
                datetime.fromisoformat(row["start_tstamp"]),
                datetime.fromisoformat(row["end_tstamp"]),
                int(row["total_events"]),
                int(row["page_views"]),
            )
            for row in csv.DictReader(lines)
        )


def landed(workshop: Workshop, name: str, loads: Sequence[list[Row]]) -> Home:
    """A home on which each load arrived on a night of its own."""
    home = workshop.home(name)
    for number, load in enumerate(loads):
        home.drop("snowplow", f"load_{number}", load)
        home.night(select=["+int_events"])
    return home


def sessions(home: Home) -> list[Session]:
    """The sessions by the peers' rules, of the events that the project accepted."""
    events = home.query(
        "select events.*, source.collector_tstamp, "
        "source.dvce_sent_tstamp - source.dvce_created_tstamp as sent_after "
        "from intermediate.int_events as events "
        "join intermediate.int_event_receipts as receipts using (event_key) "
        "join raw.snowplow_events as source on source.load_id = receipts.load_id "
        "and source.row_number = receipts.row_number "
        "where receipts.outcome = 'accepted'"
    )
    by_id = defaultdict(list)
    for event in events:
        # an event without a session id is in no session of the peers
        if event["source_session_id"] and event["sent_after"] <= LONGEST:
            by_id[event["source_session_id"]].append(event | _properties(event))
    return sorted(found for id_, events in by_id.items() for found in _session(id_, events))


def _properties(event: dict[str, Any]) -> dict[str, Any]:
    properties = json.loads(event["properties"] or "{}")
    bots = json.loads(properties.get(BOTS) or "[]")
    return {
        "page_view_id": properties.get("page_view_id"),
        "is_bot": any(bot["spiderOrRobot"] for bot in bots),
    }


def _session(session_id: str, events: list[dict[str, Any]]) -> Iterator[Session]:
    cut = min(event["collector_tstamp"] for event in events) + LONGEST
    kept = [event for event in events if event["collector_tstamp"] <= cut]
    pages = [
        event
        for event in kept
        if event["event_name"] in PAGE_EVENTS and event["page_view_id"] and not event["is_bot"]
    ]
    start = min(event["occurred_at"] for event in kept)
    if not pages or start < FIRST_DAY:
        return
    if min(pages, key=lambda event: event["occurred_at"])["event_name"] == "page_ping":
        start -= PING
    end = max(event["occurred_at"] for event in kept)
    views = {event["page_view_id"] for event in pages}
    yield session_id, start, end, len(kept), len(views)


def test_one_load_gives_the_peers_18_sessions(
    workshop: Workshop, rows: list[Row], answers: list[Session]
) -> None:
    home = landed(workshop, "snowplow_once", [rows])
    assert len(answers) == 18
    assert sessions(home) == answers


def test_four_loads_give_the_peers_18_sessions(
    workshop: Workshop, rows: list[Row], answers: list[Session]
) -> None:
    loads = [rows[number::4] for number in range(4)]
    home = landed(workshop, "snowplow_in_four", loads)
    assert sessions(home) == answers
