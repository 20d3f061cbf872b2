"""dbt on Apache Spark: `python -m orchestration.spark build`, with dbt's own arguments behind it.

Belongs here: what dbt-spark lacks, a way to run Python models without a Databricks account. Does
not belong here: SQL (dbt_project/macros/dialect), which nodes are built when (docs/spark.md).

The project's Python models compute on small tables. They run here, beside the engine, in a DuckDB
in memory that gets the tables they read; what they return goes back as rows.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import duckdb
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.adapters.spark.impl import SparkAdapter
from dbt.cli.main import dbtRunner

from orchestration.settings import PROJECT_ROOT

ROWS_AT_ONCE = 1000


def type_here(said: Any) -> str:
    """DuckDB's name of a column type in Spark's words."""
    return {"string": "varchar", "void": "varchar"}.get(str(said), str(said))


def type_there(said: Any) -> str:
    """Spark's name of a column type in DuckDB's words."""
    return {"VARCHAR": "string"}.get(str(said), str(said))


def literal(value: Any) -> str:
    """A value as a text in Spark's SQL, to be cast."""
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, float) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def inserts(relation: str, rows: duckdb.DuckDBPyRelation) -> Iterator[str]:
    """Statements that write the rows into a table."""
    names = ", ".join(rows.columns)
    casts = ", ".join(
        f"cast({name} as {type_there(of)}) as {name}"
        for name, of in zip(rows.columns, rows.types, strict=True)
    )
    found = rows.fetchall()
    for start in range(0, len(found), ROWS_AT_ONCE):
        chunk = found[start : start + ROWS_AT_ONCE]
        lines = ", ".join(f"({', '.join(map(literal, row))})" for row in chunk)
        yield f"insert into {relation} select {casts} from (values {lines}) as new ({names})"


class PythonBeside:
    """One Python model of dbt, run beside the engine."""

    def __init__(self, adapter: SparkAdapter) -> None:
        self.adapter = adapter
        self.connection = duckdb.connect()

    def read(self, relation: str) -> duckdb.DuckDBPyRelation:
        """A table of the engine, copied under its own name."""
        _, cursor = self.adapter.connections.add_query(f"select * from {relation}")
        rows = [tuple(row) for row in cursor.fetchall()]
        columns = ", ".join(
            f'"{column[0]}" {type_here(column[1])}' for column in cursor.description
        )
        self.connection.execute(f"create schema if not exists {relation.split('.')[0]}")
        self.connection.execute(f"create or replace table {relation} ({columns})")
        if rows:
            places = ", ".join("?" for _ in rows[0])
            self.connection.executemany(f"insert into {relation} values ({places})", rows)
        return self.connection.table(relation)

    def run(self, code: str) -> None:
        """The model's code as dbt compiled it; its rows become the table `written_to`."""
        names: dict[str, Any] = {}
        exec(compile(code.strip(), "python model", "exec"), names)
        dbt = names["dbtObj"](self.read)
        if dbt.is_incremental:
            self.read(repr(dbt.this))
        rows = names["model"](dbt, self.connection)
        columns = ", ".join(
            f"{name} {type_there(of)}" for name, of in zip(rows.columns, rows.types, strict=True)
        )
        written_to = names["written_to"]
        self.adapter.execute(f"create table {written_to} ({columns})")
        for statement in inserts(written_to, rows):
            self.adapter.execute(statement)


def submit_python_job(
    self: SparkAdapter, parsed_model: dict[str, Any], compiled_code: str
) -> AdapterResponse:
    """In place of dbt-spark's own, which sends the code to Databricks."""
    PythonBeside(self).run(compiled_code)
    return AdapterResponse(_message="OK")


def run(args: list[str]) -> bool:
    """dbt with these arguments on the target spark; whether all went well."""
    os.environ["INTENT_MAP_TARGET"] = "spark"
    SparkAdapter.submit_python_job = submit_python_job
    folders = [
        "--project-dir",
        str(PROJECT_ROOT / "dbt_project"),
        "--profiles-dir",
        str(PROJECT_ROOT),
    ]
    return dbtRunner().invoke([*args, *folders]).success


if __name__ == "__main__":
    sys.exit(0 if run(sys.argv[1:]) else 1)
