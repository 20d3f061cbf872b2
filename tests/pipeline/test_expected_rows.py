"""How many rows DuckDB's planner expects of what wide tables are joined to.

It keeps the side of a join in memory that it takes for the smaller one: an expectation far too low
costs time and memory, and turns no other test red.
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
from pipeline.homes import Home
from pipeline.promise_checks import Done


def expected_rows(home: Home, sql: str) -> dict[str, int]:
    """By kind of operator, the least that the planner expects to leave one of them."""
    with duckdb.connect(str(home.settings.warehouse), read_only=True) as connection:
        ((_, plan),) = connection.execute(f"explain (format json) {sql}").fetchall()
    expected: dict[str, int] = {}
    for operator in operators(json.loads(plan)):
        rows = operator["extra_info"].get("Estimated Cardinality")
        if rows is not None:
            name = operator["name"].strip()
            expected[name] = min(int(rows), expected.get(name, int(rows)))
    return expected


def operators(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for operator in plan:
        yield operator
        yield from operators(operator["children"])


def rows_of(home: Home, table: str) -> int:
    with duckdb.connect(str(home.settings.warehouse), read_only=True) as connection:
        ((rows,),) = connection.execute(f"select count(*) from {table}").fetchall()
    return rows


def test_sessions_without_those_of_bots_are_expected_to_be_nearly_all(promise: Done) -> None:
    home = promise.nights
    all_sessions = rows_of(home, "intermediate.int_all_sessions")
    assert 0 < rows_of(home, "intermediate.int_bot_sessions") < all_sessions
    expected = expected_rows(home, "select session_key, source from intermediate.int_sessions")
    assert expected["HASH_JOIN"] == all_sessions


def test_an_anti_join_is_expected_to_leave_a_fifth(promise: Done) -> None:
    """Why the view has none; when this turns red, it can have one again."""
    expected = expected_rows(
        promise.nights,
        "select session_key from intermediate.int_all_sessions"
        " anti join intermediate.int_bot_sessions using (session_key)",
    )
    assert expected["HASH_JOIN"] <= rows_of(promise.nights, "intermediate.int_all_sessions") / 4
