"""A source without files: an existing table in an attached DuckDB file, read in place.

Belongs here: the dbt var `attached_sources`, the ATTACH statements every reading process needs,
the view in schema raw that maps the table's columns exactly as a file's, and what arrived since.
Does not belong here: landing files (run.py), reading values (columns.py).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.landing import kept, ledger
from orchestration.landing.columns import Refused, Relation, landing_select, shown_names
from orchestration.landing.declaration import RAW_TABLE, raw_tables
from orchestration.landing.values import SourceColumn, moment_of
from orchestration.locking import HeldError, holder_of_file
from orchestration.policy import effective_vars
from orchestration.settings import Settings
from orchestration.sources import SOURCES
from orchestration.sql_text import literal, quoted

VAR = "attached_sources"
EXAMPLE = (
    '{"generic": {"database": "/data/events.duckdb", "table": "main.events", '
    '"arrival_column": "_loaded_at"}}'
)
# of several tables that are one source each has its own range of row numbers
ROWS_OF_A_TABLE = 1_000_000_000_000


@dataclass(frozen=True)
class Table:
    """One table of an attached database."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class AttachedSource:
    """One entry of the var; its database is attached as attached_<source>."""

    source: str
    database: Path
    tables: tuple[Table, ...]
    arrival_column: str

    @property
    def alias(self) -> str:
        return f"attached_{self.source}"

    @property
    def shown(self) -> str:
        return f"{', '.join(map(str, self.tables))} in {self.database}"


@dataclass(frozen=True)
class Arrivals:
    """What an attached table brought since the last landing."""

    rows: int
    without_arrival: int


def attached_sources(settings: Settings) -> dict[str, AttachedSource]:
    """Source → attached table, from the var; raises IntentMapError that names the wrong part."""
    value = effective_vars(settings).get(VAR)
    if not isinstance(value or {}, dict):
        raise IntentMapError(f"The var {VAR} must be an object such as {EXAMPLE}.")
    return {source: _entry(source, entry) for source, entry in (value or {}).items()}


def attachments(settings: Settings) -> list[dict[str, Any]]:
    """The entries for `attach` of a dbt profile."""
    return [
        {"path": str(entry.database), "alias": entry.alias, "read_only": True}
        for entry in attached_sources(settings).values()
    ]


def attach_sql(settings: Settings) -> list[str]:
    """The statements that every process must run before it reads schema raw."""
    return [_attach(entry) for entry in attached_sources(settings).values()]


def prepare(
    con: duckdb.DuckDBPyConnection, settings: Settings, report: Callable[[str], object]
) -> dict[str, AttachedSource]:
    """Put a view over the attached table in the place of each attached source's raw table.

    Drops the view again where the var no longer names the source. Raises IntentMapError when the
    file, the table or the arrival column is missing, the file is held by another process, a needed
    column is missing, or files of the source were landed before.
    """
    attached = attached_sources(settings)
    con.execute("create schema if not exists raw")
    tables, views = _names_in_raw(con, "table"), _names_in_raw(con, "view")
    for source in SOURCES:
        if source in attached:
            if RAW_TABLE[source] + kept.ROWS in tables:
                _refuse(attached[source], "kept files")
            if RAW_TABLE[source] in tables:
                _drop_empty_table(con, attached[source])
            _open(con, attached[source])
            _create_view(con, attached[source])
        elif RAW_TABLE[source] in views and RAW_TABLE[source] + kept.ROWS not in tables:
            con.execute(f"drop view raw.{quoted(RAW_TABLE[source])}")
            report(
                f"{source}: the var {VAR} no longer names a table, so raw.{RAW_TABLE[source]} is "
                "an empty table again, for files; what was built from the attached table stays."
            )
    return attached


def see_to_it(entry: AttachedSource) -> None:
    """Raise IntentMapError when no run could read it, HeldError while another process writes it."""
    with duckdb.connect() as con:
        _open(con, entry)
        for table in entry.tables:
            _select(con, entry, table, 0)


def note_arrivals(con: duckdb.DuckDBPyConnection, entry: AttachedSource, now: datetime) -> Arrivals:
    """Count what arrived since the last note and write it to raw.loads."""
    (last,) = con.execute(
        "select coalesce(max(load_id), 0) from raw.loads where source = ? and status = ?",
        [entry.source, ledger.ATTACHED],
    ).fetchone()
    view = f"raw.{quoted(RAW_TABLE[entry.source])}"
    rows, newest = con.execute(
        f"select count(*), max(load_id) from {view} where load_id > ?", [last]
    ).fetchone()
    (without,) = con.execute(f"select count(*) from {view} where load_id = 0").fetchone()
    if rows:
        load = ledger.Load(
            load_id=newest,
            source=entry.source,
            file_name=", ".join(f"{entry.alias}.{table.name}" for table in entry.tables),
            content_hash=None,
            size_bytes=None,
            row_count=rows,
            status=ledger.ATTACHED,
            reason=None,
            landed_at=now,
            arrived_at=now,
            file_columns=_columns_of(con, entry),
        )
        ledger.write(con, load)
    return Arrivals(rows, without)


def _columns_of(con: duckdb.DuckDBPyConnection, entry: AttachedSource) -> list[str]:
    rows = con.execute(
        "select schema_name || '.' || table_name, lower(column_name) from duckdb_columns() "
        "where database_name = ?",
        [entry.alias],
    ).fetchall()
    names = {str(table).lower() for table in entry.tables}
    return sorted({column for table, column in rows if table.lower() in names})


def _entry(source: str, entry: Any) -> AttachedSource:
    where = f"The var {VAR}"
    if source not in SOURCES:
        raise IntentMapError(
            f"{where} names the source '{source}'; known are {', '.join(SOURCES)}."
        )
    parts = ("database", "table", "arrival_column")
    if not isinstance(entry, dict) or sorted(entry) != sorted(parts):
        raise IntentMapError(
            f"{where}, source {source}, needs exactly {', '.join(parts)}, as in {EXAMPLE}."
        )
    # a source may lie in several tables, as Segment's does
    several = isinstance(entry["table"], list) and entry["table"]
    named = entry["table"] if several else [entry["table"]]
    texts = [(part, entry[part]) for part in parts if part != "table"]
    for part, value in [*texts, *(("table", name) for name in named)]:
        if not isinstance(value, str) or not value.strip():
            raise IntentMapError(f"{where}, source {source}: {part} must be a text.")
    database = Path(entry["database"])
    if not database.is_absolute():
        # what is no path may be the connection of another engine, with its password
        shown = "no path" if re.search("[=@:]", entry["database"]) else f"'{database}'"
        raise IntentMapError(
            f"{where}, source {source}: database is {shown}; give an absolute path."
        )
    tables = tuple(_table(f"{where}, source {source}", name) for name in named)
    return AttachedSource(source, database, tables, entry["arrival_column"].strip())


def _table(where: str, name: Any) -> Table:
    found = re.fullmatch(r"(?:([^.]+)\.)?([^.]+)", name.strip())
    if found is None:
        raise IntentMapError(f"{where}: table is '{name}'; write it as schema.table.")
    return Table(found[1] or "main", found[2])


def _attach(entry: AttachedSource) -> str:
    path = literal(str(entry.database))
    return f"attach if not exists {path} as {entry.alias} (read_only)"


def _open(con: duckdb.DuckDBPyConnection, entry: AttachedSource) -> None:
    where = f"The attached source {entry.source} cannot be read"
    if not entry.database.is_file():
        raise IntentMapError(
            f"{where}: there is no file {entry.database}; correct `database` in the var {VAR}."
        )
    try:
        with entry.database.open("rb") as opened:
            is_duckdb = opened.read(12)[8:] == b"DUCK"
    except OSError as error:
        raise IntentMapError(f"{where}: {entry.database}: {error.strerror}.") from error
    if not is_duckdb:
        raise IntentMapError(f"{where}: {entry.database} is not a DuckDB file.")
    try:
        con.execute(_attach(entry))
    except duckdb.Error as error:
        holder = holder_of_file(str(error))
        if holder:
            raise HeldError(
                f"{where}: {entry.database} is open for writing in {holder}; run again when that "
                "process is done."
            ) from error
        raise IntentMapError(f"{where}: {first_line(error)}") from error


def _create_view(con: duckdb.DuckDBPyConnection, entry: AttachedSource) -> None:
    selects = [
        _select(con, entry, table, number * ROWS_OF_A_TABLE)
        for number, table in enumerate(entry.tables)
    ]
    name = f"raw.{quoted(RAW_TABLE[entry.source])}"
    con.execute(f"create or replace view {name} as {' union all '.join(selects)}")


def _select(
    con: duckdb.DuckDBPyConnection, entry: AttachedSource, table: Table, rows_before: int
) -> str:
    """The query that reads one table as raw rows, numbered from rows_before + 1."""
    where = f"The attached source {entry.source}"
    shown = f"{table} in {entry.database}"
    tables = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ? "
        "order by 1",
        [entry.alias],
    ).fetchall()
    names = {name.lower() for (name,) in tables}
    if str(table).lower() not in names:
        raise IntentMapError(
            f"{where}: there is no table {shown} (tables there: "
            f"{shown_names([name for (name,) in tables])}); a view has no row numbers that stay, "
            "so name a table."
        )
    full_name = f"{entry.alias}.{quoted(table.schema)}.{quoted(table.name)}"
    found = con.sql(f"select * from {full_name}")
    columns = [
        SourceColumn(name, quoted(name), kind)
        for name, kind in zip(found.columns, found.types, strict=True)
    ]
    for column in columns:
        if column.name.lower() in ("rowid", "__row"):
            # it would be taken for the number of the row, by which rows are told apart
            raise IntentMapError(
                f"{where}: {shown} has a column {column.name}, a name that the number of the row "
                "needs; rename it there."
            )
    arrival = [c for c in columns if c.name.lower() == entry.arrival_column.lower()]
    if not arrival:
        raise IntentMapError(
            f"{where}: {shown} has no arrival column '{entry.arrival_column}' (found: "
            f"{shown_names([column.name for column in columns])})."
        )
    arrived_at = moment_of(arrival[0])
    # the arrival column is no property of the event, but may be a column of the source
    declared = {column.name for column in raw_tables()[RAW_TABLE[entry.source]].file_columns}
    try:
        return landing_select(
            entry.source,
            Relation(
                f"select *, rowid + {rows_before + 1} as __row from {full_name}",
                tuple(c for c in columns if c is not arrival[0] or c.name.lower() in declared),
            ),
            {
                # a row without arrival time is read by a first build and never after
                "load_id": f"coalesce(epoch_us({arrived_at}), 0)",
                "row_number": "__row",
                "file_name": literal(f"{entry.alias}.{table.name}"),
                "landed_at": arrived_at,
            },
        )
    except Refused as refused:
        raise IntentMapError(f"{where}, {shown}: {refused}.") from refused


def _names_in_raw(con: duckdb.DuckDBPyConnection, kind: str) -> set[str]:
    """The names of schema raw; kind: table or view."""
    rows = con.execute(
        f"select {kind}_name from duckdb_{kind}s() "
        "where database_name = current_database() and schema_name = 'raw'"
    ).fetchall()
    return {name for (name,) in rows}


def _refuse(entry: AttachedSource, held: str) -> None:
    raise IntentMapError(
        f"raw.{RAW_TABLE[entry.source]} already holds {held}, so {entry.shown} cannot take its "
        f"place: use a fresh INTENT_MAP_HOME, or take {entry.source} out of the var {VAR}."
    )


def _drop_empty_table(con: duckdb.DuckDBPyConnection, entry: AttachedSource) -> None:
    name = f"raw.{RAW_TABLE[entry.source]}"
    (rows,) = con.execute(f"select count(*) from {name}").fetchone()
    if rows:
        _refuse(entry, f"rows landed from files ({rows:,})")
    con.execute(f"drop table {name}")
