"""Gap cases of other authors: through the compiled session model, and the predicate alone."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from pipeline.histories import generic_event
from pipeline.homes import Workshop

from orchestration.settings import PROJECT_ROOT

MACRO = PROJECT_ROOT / "dbt_project" / "macros" / "expressions" / "is_visit_start.sql"
DEFAULT_GAP = "30 minutes"
MINUTES = {DEFAULT_GAP: 30, "1 hour": 60}


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> list[dict[str, Any]]:
    file = shared_data / "sessionize_funnel" / "sessionize_cases.json"
    return json.loads(file.read_text(encoding="utf-8"))["cases"]


def numbered(keys: list[Any]) -> list[int | None]:
    """The sessions by number, from 1 in the order in which they come; no session stays None."""
    seen: dict[Any, int] = {}
    return [None if key is None else seen.setdefault(key, len(seen) + 1) for key in keys]


def test_every_case_with_our_timeout_gets_the_peers_sessions_from_the_night(
    workshop: Workshop, cases: list[dict[str, Any]]
) -> None:
    ours = {f"case {n}": case for n, case in enumerate(cases) if case["gap"] == DEFAULT_GAP}
    assert len(ours) == 3
    home = workshop.home("sessionize")
    home.drop(
        "generic",
        "cases",
        [
            generic_event(visitor, moment or "", "page_view", event_id=f"{visitor} {place}")
            for visitor, case in ours.items()
            for place, moment in enumerate(case["ts"])
        ],
    )
    home.night(select=["+int_session_events", "int_events"])
    sessions = {
        row["event_id"]: row["session_key"]
        for row in home.query(
            "select event_id, session_key "
            "from intermediate.int_session_events join intermediate.int_events using (event_key)"
        )
    }
    for visitor, case in ours.items():
        keys = [sessions.get(f"{visitor} {place}") for place in range(len(case["ts"]))]
        assert numbered(keys) == case["expected"], case
    # an event without a time is in no session, and not lost
    refused = home.query(
        "select reason from intermediate.int_event_receipts where outcome = 'refused'"
    )
    assert [row["reason"] for row in refused] == ["no_time"]


def test_is_visit_start_answers_every_case_under_its_own_timeout(
    cases: list[dict[str, Any]],
) -> None:
    assert {case["gap"] for case in cases} == MINUTES.keys()
    with duckdb.connect() as connection:
        for case in cases:
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
