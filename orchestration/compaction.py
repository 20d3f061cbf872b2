"""Database files without the bytes of what was deleted from them.

Belongs here: writing the warehouse anew, cleaning and packing SQLite files. Does not belong here:
deciding what is deleted (erasure/, retention.py).

A DELETE only marks room as free: what stood there stays readable in the file until something else
is written over it.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb

from orchestration.disk import to_disk
from orchestration.errors import IntentMapError, first_line
from orchestration.settings import Settings
from orchestration.sql_text import literal, quoted

UNFINISHED = ".compacting"
SQLITE_HEADER = b"SQLite format 3\0"
BUSY_SECONDS = 30.0
MOMENTS = ("TIMESTAMP", "DATETIME")


def compact_warehouse(settings: Settings) -> tuple[int, int]:
    """Write the warehouse anew with what it holds, and put it in the old one's place in one step.

    The caller holds the writer's lock. Returns bytes before and after. Raises IntentMapError when
    the disk has no room for the copy; the warehouse is then as it was.
    """
    old = settings.warehouse
    new = old.with_name(old.name + UNFINISHED)
    for leftover in old.parent.glob(f"{new.name}*"):
        leftover.unlink()
    before = old.stat().st_size
    try:
        # what the log beside the file still holds goes into the file first
        with duckdb.connect(str(old)) as con:
            con.execute("force checkpoint")
        with duckdb.connect(config={"temp_directory": str(old.parent / "spill")}) as con:
            con.execute(f"attach {literal(str(old))} as {quoted(old.stem)} (read_only)")
            con.execute(f"attach {literal(str(new))} as compacted")
            con.execute(f"copy from database {quoted(old.stem)} to compacted")
            _compare(con, old.stem)
            con.execute("detach compacted")
    except (duckdb.Error, OSError) as error:
        for leftover in old.parent.glob(f"{new.name}*"):
            leftover.unlink()
        raise IntentMapError(
            f"The warehouse {old} could not be written anew: {first_line(error)} It is "
            "as it was. See that the disk has room for a second copy of it, then run again."
        ) from error
    to_disk(new)
    new.replace(old)
    to_disk(old.parent)
    return before, old.stat().st_size


def _compare(con: duckdb.DuckDBPyConnection, old: str) -> None:
    """Raises IntentMapError unless each table has as many rows in the copy."""
    names = con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [old]
    ).fetchall()
    for schema, table in names:
        counts = [
            con.execute(
                f"select count(*) from {quoted(database)}.{quoted(schema)}.{quoted(table)}"
            ).fetchone()
            for database in (old, "compacted")
        ]
        if counts[0] != counts[1]:
            raise IntentMapError(
                f"The new copy of {schema}.{table} has {counts[1][0]} rows in place of "
                f"{counts[0][0]}; the warehouse is as it was. See that the disk is sound."
            )


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def clean_sqlite(path: Path, cleaned: Callable[[str], str]) -> int:
    """Pass every text of a SQLite file through `cleaned`; returns how many rows changed.

    Then packs the file, so that no byte of the old texts, nor of rows deleted earlier, is left.
    Raises sqlite3.Error when another program keeps it busy, since old bytes may then be left.
    """
    changed = 0
    con = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        con.execute("pragma secure_delete = on")
        for table in _tables(con):
            changed += _clean_table(con, table, cleaned)
        con.commit()
        (free,) = con.execute("pragma freelist_count").fetchone()
        if changed or free:
            con.execute("vacuum")
        (is_busy, _, _) = con.execute("pragma wal_checkpoint(truncate)").fetchone()
        if is_busy:
            raise sqlite3.OperationalError("another program is reading it")
    finally:
        con.close()
    return changed


def _tables(con: sqlite3.Connection) -> list[str]:
    rows = con.execute(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' "
        "and sql not like '%without rowid%'"
    ).fetchall()
    return [name for (name,) in rows]


def _clean_table(con: sqlite3.Connection, table: str, cleaned: Callable[[str], str]) -> int:
    name = quoted(table)
    kinds = {row[1]: row[2] for row in con.execute(f"pragma table_info({name})").fetchall()}
    columns = list(kinds)
    # the microseconds of a moment may look like an id
    is_moment = [kind.upper() in MOMENTS for kind in kinds.values()]
    changes = []
    for rowid, *values in con.execute(f"select rowid, * from {name}"):
        new = [
            cleaned(value) if isinstance(value, str) and not moment else value
            for value, moment in zip(values, is_moment, strict=True)
        ]
        if new != values:
            changes.append((*new, rowid))
    assigned = ", ".join(f"{quoted(column)} = ?" for column in columns)
    con.executemany(f"update {name} set {assigned} where rowid = ?", changes)
    return len(changes)
