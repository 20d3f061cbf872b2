"""Small cases of other authors through one night: gaps, funnels, logins, conversions, sources."""

import csv
import json
import shutil
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from pipeline.histories import generic_event
from pipeline.homes import Home, Workshop

from orchestration.settings import PROJECT_ROOT

MACRO = PROJECT_ROOT / "dbt_project" / "macros" / "expressions" / "is_visit_start.sql"
MINUTES = {"30 minutes": 30, "1 hour": 60}
STEPS = {"view": "soft", "cart": "medium", "purchase": "hard"}
CONVERSIONS = ("my_conversion", "my-conversion")
OF_SESSIONS = "sessions_traffic_sources_daily"
LAST_NON_DIRECT = "ga4__sessions_traffic_sources_last_non_direct_daily"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def gap_cases(shared_data: Path) -> list[Row]:
    file = shared_data / "sessionize_funnel" / "sessionize_cases.json"
    return json.loads(file.read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def funnel(shared_data: Path) -> Row:
    file = shared_data / "sessionize_funnel" / "window_funnel_cases.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def home(
    workshop: Workshop,
    shared_data: Path,
    gap_cases: list[Row],
    funnel: Row,
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    """All cases in one home, each with visitors of its own."""
    home = workshop.home(
        "small_cases",
        {"direct_source_look_back_days": 30},
        business_files(tmp_path_factory.mktemp("small")),
    )
    rows = [
        generic_event(f"gap {number}", moment or "", "page_view", event_id=f"gap {number} {place}")
        for number, case in enumerate(gap_cases)
        for place, moment in enumerate(case["ts"])
    ]
    rows += [
        generic_event(f"funnel {visitor}", moment, f"peer_{step}", campaign="funnel")
        for visitor, moment, step in funnel["events"]
    ]
    day = datetime(2025, 5, 5)
    rows += [
        generic_event(
            row["client_key"],
            day + timedelta(seconds=int(row["event_timestamp"])),
            "page_view",
            user_id=row["user_id"] or None,
        )
        for row in csv_rows(shared_data, "Ga4__user_id_mapping__mock_stg_ga4__events")
    ]
    rows += [
        generic_event(
            f"last {row['client_key']}",
            datetime(1970, 1, 1) + timedelta(seconds=int(row["session_partition_timestamp"])),
            "page_view",
            source=None if row["session_source"] == "(direct)" else row["session_source"],
            medium=row["session_medium"] or None,
            campaign=row["session_campaign"] or None,
        )
        for row in csv_rows(shared_data, f"{LAST_NON_DIRECT}__mock_stg_ga4__{OF_SESSIONS}")
    ]
    for name in ("events", "nonstandard_events"):
        # the cases have a date only: their order is taken for their time
        rows += [
            generic_event(
                f"{name} {row['session_key']}",
                datetime.fromisoformat(row["event_date_dt"]) + timedelta(minutes=place),
                row["event_name"],
            )
            for place, row in enumerate(
                csv_rows(shared_data, f"ga4__session_conversions_daily__mock_stg_ga4__{name}")
            )
        ]
    home.drop("generic", "cases", rows)
    home.night()
    return home


def business_files(folder: Path) -> Path:
    """The shipped business files with the peers' events as micro-conversions."""
    seeds = folder / "seeds"
    shutil.copytree(PROJECT_ROOT / "seeds", seeds, ignore=shutil.ignore_patterns("*.yml"))
    file = seeds / "micro_conversions.csv"
    with file.open(encoding="utf-8", newline="") as rules:
        like = next(row for row in csv.DictReader(rules) if row["event_name"] == "search")
    rows = [
        {**like, "micro_conversion": step, "event_name": f"peer_{step}", "tier": tier}
        for step, tier in STEPS.items()
    ]
    rows += [
        {**like, "micro_conversion": name, "event_name": name, "counting": "every"}
        for name in CONVERSIONS
    ]
    with file.open("w", encoding="utf-8", newline="") as rules:
        writer = csv.DictWriter(rules, like, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return seeds


def csv_rows(shared_data: Path, name: str) -> list[dict[str, str]]:
    file = shared_data / "channel_groups" / f"stg_{name}_csv.csv"
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_every_gap_case_gets_the_peers_sessions_from_the_night(
    home: Home, gap_cases: list[Row]
) -> None:
    assert len(gap_cases) == 4
    for number, case in enumerate(gap_cases):
        # a single event is one session under any timeout
        assert case["gap"] == "30 minutes" or len(case["ts"]) == 1
        sessions = home.query(
            "select started_at, ended_at, session_number, events from marts.mart_sessions "
            f"where visitor_id = 'gap {number}'"
        )
        moments = [None if text is None else datetime.fromisoformat(text) for text in case["ts"]]
        ours = [
            next(
                (
                    session["session_number"]
                    for session in sessions
                    if moment is not None and session["started_at"] <= moment <= session["ended_at"]
                ),
                None,
            )
            for moment in moments
        ]
        assert ours == case["expected"], case
        theirs = Counter(number for number in case["expected"] if number is not None)
        assert {row["session_number"]: row["events"] for row in sessions} == theirs
    # an event without a time is in no session, and not lost
    refused = home.query(
        "select reason from intermediate.int_event_receipts where outcome = 'refused'"
    )
    assert [row["reason"] for row in refused] == ["no_time"]


def test_is_visit_start_answers_every_gap_case_under_its_own_timeout(
    gap_cases: list[Row],
) -> None:
    assert {case["gap"] for case in gap_cases} == MINUTES.keys()
    with duckdb.connect() as connection:
        for case in gap_cases:
            moments = [moment for moment in case["ts"] if moment is not None]
            rows = connection.execute(
                f"select {is_visit_start(MINUTES[case['gap']])} from ("
                "select occurred_at, lag(occurred_at) over (order by occurred_at) as previous_at "
                "from (select unnest(?::timestamp[]) as occurred_at)) order by occurred_at",
                [moments],
            ).fetchall()
            starts = [start for (start,) in rows]
            sessions = [sum(starts[: place + 1]) for place in range(len(starts))]
            assert sessions == [number for number in case["expected"] if number is not None], case


def is_visit_start(timeout_minutes: int) -> str:
    """The SQL of the macro under a timeout."""
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        MACRO.read_text(encoding="utf-8") + "{{ is_visit_start('occurred_at', 'previous_at') }}"
    )
    return template.render(
        var={"session_timeout_minutes": timeout_minutes}.get,
        dbt=SimpleNamespace(dateadd=lambda part, n, moment: f"{moment} + interval {n} {part}"),
    )


def test_steps_in_order_within_a_session_are_those_of_the_peers_window(
    home: Home, funnel: Row
) -> None:
    """In these cases a step is in the window exactly when it is in the session of the first one."""
    assert funnel["steps"] == list(STEPS)
    (ours,) = home.query(
        "select sum(reached_soft) as view, sum(reached_medium) as cart, "
        "sum(reached_hard) as purchase, sum(hard_sessions) as hard, sum(medium_sessions) as medium "
        "from marts.mart_daily_funnels where campaign = 'funnel'"
    )
    assert len(funnel["expected"]) == 2
    for deepest in funnel["expected"].values():
        for place, step in enumerate(funnel["steps"], start=1):
            assert ours[step] == sum(1 for depth in deepest.values() if depth >= place)
    # the cart five hours later is had, but not reached in order
    assert ours["medium"] == ours["cart"] + 1


def test_visitors_are_the_users_that_the_peers_saw_last(home: Home, shared_data: Path) -> None:
    expected = csv_rows(shared_data, "Ga4__user_id_mapping__expected")
    rows = home.query(
        "select visitor_id, user_id from intermediate.int_visitor_identities "
        "join intermediate.int_sessions using (visitor_key)"
    )
    assert len(expected) == 4
    assert {row["visitor_id"]: row["user_id"] for row in rows} == {
        row["client_key"]: row["last_seen_user_id"] for row in expected
    }
    people = home.query(
        "select visitor_id, user_key from marts.mart_sessions "
        "where visitor_id in ('c1', 'c2', 'd1')"
    )
    users = {row["visitor_id"]: row["user_key"] for row in people}
    assert users["c1"] == users["c2"] != users["d1"]


def test_a_direct_session_takes_the_last_source_that_the_peers_say(
    home: Home, shared_data: Path
) -> None:
    rows = home.query(
        "select visitor_id, session_date, source, medium, campaign from marts.mart_sessions "
        "where starts_with(visitor_id, 'last ') order by started_at"
    )
    expected = csv_rows(shared_data, f"{LAST_NON_DIRECT}__expected")
    assert len(expected) == 4
    assert [tuple(row.values()) for row in rows] == [
        (
            f"last {row['client_key']}",
            datetime.strptime(row["session_partition_date"], "%Y%m%d").date(),
            *(row[f"last_non_direct_{what}"] for what in ("source", "medium", "campaign")),
        )
        for row in expected
    ]


@pytest.mark.parametrize("name", ["events", "nonstandard_events"])
def test_conversions_of_a_session_are_counted_as_the_peers_count_them(
    home: Home, shared_data: Path, name: str
) -> None:
    """Also under a name that is no identifier. The peers' session of two days are two visits."""
    conversion = CONVERSIONS[name == "nonstandard_events"]
    rows = home.query(
        "select visitor_id, session_date, soft_conversions, "
        "coalesce(occurrences, 0) as occurrences "
        "from marts.mart_sessions left join marts.mart_micro_conversions as micros "
        "on mart_sessions.session_key = micros.session_key "
        f"and micro_conversion = '{conversion}' where starts_with(visitor_id, '{name} ')"
    )
    expected = csv_rows(shared_data, "ga4__session_conversions_daily__expected")
    assert len(expected) == 4
    theirs = {
        (row["session_key"], row["session_partition_date"]): int(row["my_conversion_count"])
        for row in expected
    }
    for counted in ("occurrences", "soft_conversions"):
        assert {
            (row["visitor_id"].removeprefix(f"{name} "), str(row["session_date"])): row[counted]
            for row in rows
        } == theirs
