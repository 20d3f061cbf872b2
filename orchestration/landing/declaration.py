"""The raw tables as declared in the dbt project, and the one place that creates them.

Belongs here: reading sources.yml, the DDL of schema raw, its upgrade when a column was added.
Does not belong here: what the rows are (reading.py, columns.py), which loads came (ledger.py).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import duckdb
import yaml

from orchestration.errors import IntentMapError, first_line
from orchestration.settings import PROJECT_ROOT
from orchestration.sources import LANDING_SOURCES
from orchestration.sql_text import quoted

RAW_TABLE = {name: source.raw_table for name, source in LANDING_SOURCES.items()}
NEEDED_COLUMNS = {name: source.needed for name, source in LANDING_SOURCES.items()}
# filled by landing itself, never from a file
TECHNICAL_COLUMNS = ("unreadable", "load_id", "row_number", "file_name", "landed_at")

SOURCES_FILE = PROJECT_ROOT / "dbt_project" / "models" / "staging" / "sources.yml"


@dataclass(frozen=True)
class RawColumn:
    name: str
    data_type: str


@dataclass(frozen=True)
class RawTable:
    """One declared table of schema raw; columns in the declared order."""

    name: str
    columns: tuple[RawColumn, ...]

    @property
    def file_columns(self) -> tuple[RawColumn, ...]:
        """The columns that a file may carry."""
        return tuple(column for column in self.columns if column.name not in TECHNICAL_COLUMNS)


def column_name(source: str, found: str) -> str:
    """The name by which a found column is matched: without regard to case and blanks.

    Snowplow's loaders end a schema's name with _1_0_2 or _1: only the first number counts.
    """
    name = found.strip().lower()
    return re.sub(r"_(\d+)_\d+_\d+$", r"_\1", name) if source == "snowplow" else name


def is_left_out(source: str, name: str) -> bool:
    """Whether a column that is not declared becomes no property either."""
    return any(fnmatchcase(name, pattern) for pattern in LANDING_SOURCES[source].left_out)


@cache
def raw_tables() -> dict[str, RawTable]:
    """Table name → declaration, from dbt_project/models/staging/sources.yml."""
    declared = yaml.safe_load(SOURCES_FILE.read_text(encoding="utf-8"))
    (raw,) = [source for source in declared["sources"] if source["name"] == "raw"]
    return {
        table["name"]: RawTable(
            table["name"],
            tuple(RawColumn(column["name"], column["data_type"]) for column in table["columns"]),
        )
        for table in raw["tables"]
    }


def create_raw_tables(
    con: duckdb.DuckDBPyConnection,
    attached: Collection[str] = (),
    kept: Mapping[str, str] | None = None,
) -> None:
    """Create the missing tables of schema raw and add what an upgrade declared since.

    attached: names that an attached table takes the place of, left alone. kept: names of views over
    kept files → the table of all other rows, which takes the declared columns in their stead.
    Raises IntentMapError when an existing column cannot take its declared type.
    """
    con.execute("create schema if not exists raw")
    existing = _existing_columns(con)
    missing = []
    for table in raw_tables().values():
        if table.name in attached:
            continue
        stored = (kept or {}).get(table.name, table.name)
        if stored not in existing:
            columns = ", ".join(f"{quoted(c.name)} {c.data_type}" for c in table.columns)
            missing.append(f"create table raw.{quoted(table.name)} ({columns})")
        else:
            _upgrade(con, table, stored, existing[stored])
    if missing:
        con.execute("; ".join(["begin", *missing, "commit"]))


def _upgrade(
    con: duckdb.DuckDBPyConnection,
    table: RawTable,
    stored: str,
    existing: dict[str, tuple[str, str]],
) -> None:
    for column in table.columns:
        found = existing.get(column.name.lower())
        action = None
        if found is None:
            action = f"add column {quoted(column.name)} {column.data_type}"
        elif found[1] != str(con.sqltype(column.data_type)):
            action = f"alter column {quoted(found[0])} set data type {column.data_type}"
        if action is None:
            continue
        try:
            con.execute(f"alter table raw.{quoted(stored)} {action}")
        except duckdb.Error as error:
            raise IntentMapError(
                f"raw.{table.name} cannot be brought to the declared columns ({action}): "
                f"{first_line(error)}. Keep the old release for this home, or land the "
                "files again in a fresh INTENT_MAP_HOME."
            ) from error


def _existing_columns(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, tuple[str, str]]]:
    rows = con.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'raw'"
    ).fetchall()
    tables: dict[str, dict[str, tuple[str, str]]] = {}
    for table, column, data_type in rows:
        tables.setdefault(table, {})[column.lower()] = (column, data_type)
    return tables
