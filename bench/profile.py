"""Which model takes the time, and which operator in it.

Belongs here: running the compiled queries of a built home again under DuckDB's profiler, and
reading what it wrote. Does not belong here: timing whole runs (stages.py).

The warehouse is opened read-only and every table is written into a scratch file, so the cost of
writing is in the figures. A query is run as it was compiled last: for a full refresh, profile a
home after its first night.

What a model costs is the processor time of this process around its query, all threads together. The
profiler's clocks cannot say that: they run on while a thread waits for a core, and stand still for
what DuckDB does between operators. They only share the cost out among the operators.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

MODELS = "dbt/nightly/compiled/intent_map/models"
SHOWN_DETAILS = ("Table", "Function", "CTE Name", "Join Type", "Conditions", "Groups", "Order By")


@dataclass(frozen=True)
class Operator:
    """One operator of a plan. seconds: of it alone, over all threads, by the profiler's clocks."""

    name: str
    detail: str
    seconds: float
    rows: int


@dataclass
class ModelProfile:
    """What one model costs. seconds: wall clock; cpu_seconds: the processor time of the query.

    rows_read: rows that its scans of tables gave out, after the filters that they apply themselves.
    """

    name: str
    seconds: float
    cpu_seconds: float
    rows_read: int
    rows_written: int
    operators: list[Operator] = field(default_factory=list)

    @property
    def operator_seconds(self) -> float:
        return sum(operator.seconds for operator in self.operators)


def profile_home(home: Path, threads: int, memory_limit: str) -> list[ModelProfile]:
    """Profile each table model of the home's last nightly build, the costliest first."""
    warehouse = home / "warehouse" / "intent_map.duckdb"
    compiled = {path.stem: path for path in sorted((home / MODELS).rglob("*.sql"))}
    with tempfile.TemporaryDirectory(dir=home) as folder:
        scratch = Path(folder)
        with duckdb.connect(str(scratch / "scratch.duckdb")) as connection:
            # under its own name, which the compiled queries use
            connection.execute(f"attach '{_quoted(warehouse)}' as intent_map (read_only)")
            connection.execute(
                f"set threads = {threads}; set memory_limit = '{memory_limit}'; "
                f"set temp_directory = '{_quoted(scratch)}/spill'; "
                # as profiles.yml has it
                "set preserve_insertion_order = false; set timezone = 'UTC'; "
                "set block_allocator_memory = '25%'"
            )
            tables = [
                name
                for (name,) in connection.execute(
                    "select table_name from information_schema.tables where "
                    "table_catalog = 'intent_map' and table_type = 'BASE TABLE' "
                    "and table_schema in ('intermediate', 'valuation', 'marts')"
                ).fetchall()
                if name in compiled
            ]
            profiles = [_profile(connection, name, compiled[name], scratch) for name in tables]
    return sorted(profiles, key=lambda profile: -profile.cpu_seconds)


def _profile(
    connection: duckdb.DuckDBPyConnection, name: str, file: Path, scratch: Path
) -> ModelProfile:
    output = scratch / "profile.json"
    sql = file.read_text(encoding="utf-8")
    connection.execute("pragma enable_profiling = 'json'")
    connection.execute(f"set profiling_output = '{_quoted(output)}'")
    began, cpu_began = time.monotonic(), time.process_time()
    connection.execute(f"create or replace table scratch.main.profiled as (\n{sql}\n)")
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    connection.execute("pragma disable_profiling")
    rows = connection.execute("select count(*) from scratch.main.profiled").fetchall()[0][0]
    connection.execute("drop table scratch.main.profiled")
    said = json.loads(output.read_text(encoding="utf-8"))
    operators = sorted(_operators(said), key=lambda operator: -operator.seconds)
    return ModelProfile(
        name=name,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        rows_read=sum(operator.rows for operator in operators if operator.name == "TABLE_SCAN"),
        rows_written=rows,
        operators=operators,
    )


def _operators(said: Mapping[str, Any]) -> Iterator[Operator]:
    waiting = list(said.get("operator") or [])
    while waiting:
        node = waiting.pop()
        waiting += node.get("children") or []
        details = node.get("extra_info") or {}
        shown = [f"{key} {_in_one_line(details[key])}" for key in SHOWN_DETAILS if details.get(key)]
        yield Operator(
            name=node["type"],
            detail="; ".join(shown),
            seconds=node.get("timing") or 0.0,
            rows=node.get("intermediate_rows") or 0,
        )


def in_words(profiles: Sequence[ModelProfile], models: int = 20, operators: int = 4) -> str:
    """A table of the models, then the costly operators of each."""
    total = sum(profile.cpu_seconds for profile in profiles) or 1.0
    lines = [
        f"{'model':<32} {'wall s':>7} {'cpu s':>7} {'share':>6} {'rows read':>12} "
        f"{'rows written':>13} {'µs/row':>7}"
    ]
    for profile in profiles[:models]:
        per_row = 1e6 * profile.cpu_seconds / max(1, profile.rows_written)
        lines.append(
            f"{profile.name:<32} {profile.seconds:>7.2f} {profile.cpu_seconds:>7.2f} "
            f"{profile.cpu_seconds / total:>6.1%} {profile.rows_read:>12,} "
            f"{profile.rows_written:>13,} {per_row:>7.2f}"
        )
    lines.append(f"{'all tables':<32} {sum(p.seconds for p in profiles):>7.2f} {total:>7.2f}")
    for profile in profiles[:models]:
        lines += [
            "",
            f"{profile.name}: {profile.cpu_seconds:.2f} s of processor time; "
            f"{profile.operator_seconds:.2f} s in its operators by the profiler's clocks",
        ]
        lines += [
            f"  {o.seconds:>7.2f} s  {o.rows:>12,} rows  {o.name}  {o.detail}"
            for o in profile.operators[:operators]
        ]
    return "\n".join(lines) + "\n"


def _in_one_line(value: object, longest: int = 100) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= longest else text[:longest] + " ..."


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
