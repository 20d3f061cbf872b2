"""raw.loads: which file landed when, with which content, and what was set aside and why.

Belongs here: reading what is known, writing one row per load, the next load_id.
Does not belong here: deciding (run.py) and moving files (files.py).
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime

import duckdb

LANDED, DUPLICATE, SET_ASIDE, ATTACHED = "landed", "duplicate", "set_aside", "attached"


@dataclass(frozen=True)
class Load:
    """One row of raw.loads."""

    load_id: int
    source: str
    file_name: str
    content_hash: str | None
    size_bytes: int | None
    row_count: int
    status: str
    reason: str | None
    landed_at: datetime
    kept_file: str | None = None
    arrived_at: datetime | None = None
    file_columns: list[str] | None = None
    kept_is_clean: bool | None = None
    file_mark: str | None = None


COLUMNS = tuple(column.name for column in fields(Load))


def day_of(moment: str) -> str:
    """SQL of the day of a moment of raw.loads, in the time zone that is the query's first
    parameter."""
    return f"cast({moment} at time zone 'UTC' at time zone $1 as date)"


@dataclass
class Known:
    """What of one source the ledger knows. with_rows: loads that brought rows, by file name and by
    content; a file without rows leaves nothing to protect. marks: names and marks of seen files."""

    seen: set[tuple[str, str]] = field(default_factory=set)
    marks: set[tuple[str, str]] = field(default_factory=set)
    with_rows_by_name: dict[str, Load] = field(default_factory=dict)
    with_rows_by_content: dict[str, Load] = field(default_factory=dict)
    contents: set[str] = field(default_factory=set)

    def add(self, load: Load) -> None:
        if load.content_hash is None or load.status not in (LANDED, DUPLICATE):
            return
        self.seen.add((load.file_name, load.content_hash))
        self.contents.add(load.content_hash)
        if load.file_mark is not None:
            self.marks.add((load.file_name, load.file_mark))
        if load.row_count:
            self.with_rows_by_name.setdefault(load.file_name, load)
            self.with_rows_by_content.setdefault(load.content_hash, load)


def read_known(con: duckdb.DuckDBPyConnection, source: str) -> Known:
    """All loads of one source, the earliest first: of two with one name or content it speaks."""
    known = Known()
    rows = con.execute(
        f"select {', '.join(COLUMNS)} from raw.loads where source = ? order by load_id", [source]
    ).fetchall()
    for row in rows:
        known.add(Load(*row))
    return known


def note_marks(
    con: duckdb.DuckDBPyConnection, source: str, marks: Sequence[tuple[str, str, str]]
) -> None:
    """Remember by what seen files are known again: (file name, content hash, mark) of each."""
    if marks:
        names, hashes, found = map(list, zip(*marks, strict=True))
        con.execute(
            "update raw.loads set file_mark = marked.mark from (select unnest(?) as name, "
            "unnest(?) as hash, unnest(?) as mark) as marked where loads.source = ? "
            "and loads.file_name = marked.name and loads.content_hash = marked.hash",
            [names, hashes, found, source],
        )


def next_load_id(con: duckdb.DuckDBPyConnection) -> int:
    """Above every load so far, of all sources, attached ones included: it only ever rises."""
    return con.execute("select coalesce(max(load_id), 0) + 1 from raw.loads").fetchone()[0]


def write(con: duckdb.DuckDBPyConnection, load: Load) -> None:
    """Add one row; the caller holds the transaction."""
    places = ", ".join("?" for _ in COLUMNS)
    con.execute(
        f"insert into raw.loads ({', '.join(COLUMNS)}) values ({places})", list(astuple(load))
    )
