"""The Parquet file of each mart, written from the serving file's new table.

Belongs here: taking the file of the last publish, or the bytes of its parts that still hold, and
writing the others. Does not belong here: joining files (parquet_joined.py), which parts changed
(tables.py), reading files back (reading_back.py).
"""

import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.disk import checksum_of
from orchestration.publishing.parquet_joined import (
    FIRST_BYTE,
    Piece,
    UnlikeFilesError,
    join,
    piece_of,
)
from orchestration.publishing.parts import PublishedTable, rows_of_part
from orchestration.publishing.places import PARQUET_LINK, UNFINISHED
from orchestration.publishing.reading_back import Copy, Taken
from orchestration.publishing.tables import in_catalog
from orchestration.sql_text import literal


def _parquet_before(old: PublishedTable, serving: Path) -> Path | None:
    """The Parquet file of the last publish; None when it is not there or of another size."""
    before = serving / PARQUET_LINK / f"{old.name}.parquet"
    try:
        return before.resolve() if before.stat().st_size == old.parquet_bytes else None
    except OSError:
        return None


def _link(before: Path, path: Path, old: PublishedTable) -> bool:
    """Put a Parquet file that still holds at path too; False when its bytes are not those that
    were published, or that cannot be done."""
    if checksum_of(before) != old.parquet_sha256:
        return False
    try:
        try:
            path.hardlink_to(before)
        except OSError:
            shutil.copyfile(before, path)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def _pieces(old: PublishedTable, before: Path, written: list[int]) -> dict[int, Piece]:
    """Where in the Parquet file of the last publish the parts stand that still hold."""
    pieces, start = {}, FIRST_BYTE
    for part in old.parts:
        if part.part not in written and part.parquet_bytes:
            pieces[part.part] = Piece(before, start, part.parquet_bytes)
        start += part.parquet_bytes
    return pieces


def new_parquet(
    con: duckdb.DuckDBPyConnection,
    copy: Copy,
    old: PublishedTable | None,
    serving: Path,
    written: list[int],
) -> Copy:
    """Give a mart its Parquet file: the one of the last publish, or a new one, as far as possible
    of the parts that were not written. Closes the connection. Returns the copy as it is then."""
    with con:
        before_it = _parquet_before(old, serving) if old else None
        if before_it and not written and _link(before_it, copy.parquet, old):
            return copy
        # where nothing was written, the file of before is broken
        kept = _pieces(old, before_it, written) if before_it and written else {}
        return _to_parquet(con, copy, kept)


def _to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, kept: dict[int, Piece]) -> Copy:
    """Write a mart's Parquet file; returns the copy with the bytes of each part in it.

    kept: the parts whose bytes are taken from another file instead of writing their rows. Whether
    a column may be null is said for a file as a whole, by what DuckDB knows of the rows, so parts
    that were written earlier, and even all of one moment, need not fit together.
    """
    if len(copy.parts) > 1:
        for ready in (kept, {}) if kept else ({},):
            with contextlib.suppress(UnlikeFilesError):
                return _joined_to_parquet(con, copy, ready)
    copy_to_parquet(con, f"from {in_catalog('served', copy.name)}", copy.parquet)
    return replace(copy, parts=tuple(replace(part, parquet_bytes=0) for part in copy.parts))


def _joined_to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, ready: dict[int, Piece]) -> Copy:
    """See _to_parquet. Raises UnlikeFilesError when the parts do not fit together."""
    try:
        # several at a time, since the rows of a week are mostly one row group, one thread's work
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alone = {
                part.part: pool.submit(_part_to_parquet, con.cursor(), copy, part.part)
                for part in copy.parts
                if part.part not in ready
            }
        pieces = ready | {part: written.result() for part, written in alone.items()}
        # a part that lost its rows on the way shows when the file is read back
        filled = [part.part for part in copy.parts if pieces[part.part].size]
        placed = join([pieces[part] for part in filled], copy.parquet)
        now = dict(zip(filled, placed, strict=True))
    finally:
        for left in copy.parquet.parent.glob(f"{copy.name}.*{UNFINISHED}"):
            left.unlink()
    return replace(
        copy,
        parts=tuple(replace(part, parquet_bytes=pieces[part.part].size) for part in copy.parts),
        taken={part: Taken(ready[part], now[part]) for part in ready},
    )


def _part_to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, part: int) -> Piece:
    alone = copy.parquet.with_name(f"{copy.name}.{part}{UNFINISHED}")
    chosen = f"where {rows_of_part(copy.name, part)}"
    with con:
        copy_to_parquet(con, f"from {in_catalog('served', copy.name)} {chosen}", alone)
    return piece_of(alone)


def copy_to_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write the rows of a query as Parquet. Raises duckdb.Error."""
    con.execute(f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)")
