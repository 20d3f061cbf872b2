"""What a night reads and writes, counted by DuckDB itself for each model.

Belongs here: turning profiles of dbt's statements into rows per model. Does not belong here: which
models may read how much (test_work_follows_arrivals.py).
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

# dbt begins each statement with a comment that names its node
NODE = re.compile(r'"node_id": "model\.intent_map\.(\w+)"')
WRITERS = (
    "INSERT",
    "BATCH_INSERT",
    "CREATE_TABLE_AS",
    "BATCH_CREATE_TABLE_AS",
    "DELETE_OPERATOR",
    "UPDATE",
)


@dataclass
class Work:
    """written: rows inserted, deleted or changed, temporary tables left out; read: rows that scans
    of tables looked at."""

    written: int = 0
    read: int = 0
    statements: int = field(default=0, repr=False)


@contextmanager
def counted_work(folder: Path) -> Iterator[dict[str, Work]]:
    """Model → its work, filled by the dbt runs inside of the block."""
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    work: dict[str, Work] = {}
    execute = DuckDBCursorWrapper.execute

    def profiled(self: Any, sql: str, bindings: Any = None) -> Any:
        node = NODE.search(sql)
        if node is None or bindings is not None:
            return execute(self, sql, bindings)
        of_model = work.setdefault(node.group(1), Work())
        output = folder / f"profile_{id(self)}.json"
        self._cursor.execute("set enable_profiling = 'json'")
        self._cursor.execute("set profiling_coverage = 'ALL'")
        self._cursor.execute(f"set profiling_output = '{output}'")
        result = None
        # one at a time, since only the profile of the last one is kept
        for statement in self._cursor.extract_statements(sql):
            output.unlink(missing_ok=True)
            result = self._cursor.execute(statement)
            if output.exists():
                _add(of_model, json.loads(output.read_text(encoding="utf-8")), statement.query)
        return result

    with mock.patch.object(DuckDBCursorWrapper, "execute", profiled):
        yield work


def _add(work: Work, profile: dict[str, Any], sql: str) -> None:
    work.statements += 1
    for operator in _operators(profile.get("operator", [])):
        if operator["type"] == "TABLE_SCAN":
            work.read += operator.get("rows_scanned", 0)
        elif operator["type"] in WRITERS and not re.search(r"(?i)\btemp(orary)?\s+table", sql):
            work.written += sum(_rows_of(child) for child in operator["children"])


def _rows_of(operator: dict[str, Any]) -> int:
    # these two hand rows on without counting them
    if operator["type"] == "UNION":
        return sum(_rows_of(child) for child in operator["children"])
    if operator["type"] == "CTE":
        return _rows_of(operator["children"][-1])
    return operator["intermediate_rows"]


def _operators(operators: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for operator in operators:
        yield operator
        yield from _operators(operator.get("children", []))
