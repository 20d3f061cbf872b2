"""What was copied is read back before it is served, as a reader would read it.

Belongs here: comparing the new serving file and the new Parquet files with what they shall hold.
Does not belong here: writing and replacing them (tables.py, parquet_files.py).

Rows are decoded and summed, with one exception: row groups that an earlier publish read back, and
whose bytes are in the new Parquet file as they were there. Decoding them again would show nothing
that comparing the bytes, and what the footers say of them, does not.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.disk import checksum_of, checksums_of_both
from orchestration.errors import IntentMapError
from orchestration.publishing.parquet_joined import Piece, has_same_bytes
from orchestration.publishing.parts import (
    NO_DAY,
    PublishedPart,
    PublishedTable,
    columns_of,
    rows_of_part,
    sums_of,
)
from orchestration.sql_text import literal

# of what a footer says of a column: what differs between two files that have the same row groups,
# and places in the file, which are counted from where the piece begins
NOT_COMPARED = ("file_name", "row_group_id")
PLACES = (
    "file_offset",
    "index_page_offset",
    "dictionary_page_offset",
    "data_page_offset",
    "bloom_filter_offset",
)


@dataclass(frozen=True)
class Taken:
    """Row groups that were taken over: where they stood in a Parquet file that was read back, and
    where they stand now."""

    before: Piece
    now: Piece


@dataclass(frozen=True)
class Copy:
    """A mart as it was copied: its rows by part, their sum, and its Parquet file.

    taken: parts whose row groups are those of an earlier file; none where all were written.
    """

    name: str
    rows: int
    checksum: str
    parts: tuple[PublishedPart, ...]
    parquet: Path
    taken: dict[int, Taken]

    def taken_from(self) -> Path | None:
        """The file that all these row groups stood in."""
        return next((taken.before.file for taken in self.taken.values()), None)


@dataclass(frozen=True)
class Summed:
    """SHA-256 of a mart's Parquet file and of the one that row groups were taken from, as both are
    behind the copying; same: so many first bytes both have the same of."""

    parquet: str
    taken_from: str | None = None
    same: int = 0


def summed(copy: Copy) -> Summed:
    """Read the Parquet files of a copy; raises OSError."""
    before = copy.taken_from()
    if before is None:
        return Summed(checksum_of(copy.parquet))
    old, new, same = checksums_of_both(before, copy.parquet)
    return Summed(new, old, same)


def expect_as_written(
    con: duckdb.DuckDBPyConnection,
    served: str,
    copy: Copy,
    old: PublishedTable | None,
    files: Future[Summed],
) -> None:
    """Count the rows of a mart again in both copies.

    served: the mart in the new serving file. old: the same in the last publish. Raises
    IntentMapError when a copy does not have the rows of which it was made.
    """
    reads_back = _sums(con, served) == (copy.rows, copy.checksum)
    if not (reads_back and _parquet_reads_back(con, served, copy, old, files.result())):
        raise IntentMapError(
            f"The new copy of {copy.name} does not read back as written; nothing was "
            "published. See that the disk is sound and publish again."
        )


def _parquet_reads_back(
    con: duckdb.DuckDBPyConnection,
    served: str,
    copy: Copy,
    old: PublishedTable | None,
    files: Summed,
) -> bool:
    # the file of the last publish was read back
    if old and old.parts == copy.parts and old.parquet_sha256 == files.parquet:
        return True

    relation = f"read_parquet({literal(str(copy.parquet))})"
    # Parquet has no type for some (hugeint, enum), so that their hashes differ
    has_same_types = columns_of(con, served) == columns_of(con, relation)

    def holds(found: tuple[int, str], rows: int, checksum: str) -> bool:
        return found == (rows, checksum if has_same_types else found[1])

    written = [part for part in copy.parts if part.part not in copy.taken]
    if not copy.taken or not any(part.rows for part in written):
        # where no row is new, none shows that the columns are what the footer says
        return holds(_sums(con, relation), copy.rows, copy.checksum)
    said = f"select num_rows from parquet_file_metadata({literal(str(copy.parquet))})"
    return (
        con.execute(said).fetchall() == [(copy.rows,)]
        and all(
            holds(
                _sums(con, f"(from {relation} where {rows_of_part(copy.name, part.part)})"),
                part.rows,
                part.checksum,
            )
            for part in written
        )
        and old is not None
        and old.parquet_sha256 == files.taken_from
        and all(_is_as_before(con, run, files.same) for run in _runs(copy.taken))
    )


def _is_as_before(con: duckdb.DuckDBPyConnection, run: Taken, same: int) -> bool:
    """same: so many first bytes of both files are the same."""
    stays = run.before.start == run.now.start and _end(run.before)[1] <= same
    return (stays or has_same_bytes(run.before, run.now)) and _said_of(con, run.before) == _said_of(
        con, run.now
    )


def _runs(taken: dict[int, Taken]) -> Iterator[Taken]:
    """Neighbours that are still neighbours as one, so that each footer is read few times."""
    run: Taken | None = None
    for part in sorted(taken):
        one = taken[part]
        if run and (_end(run.before), _end(run.now)) == (
            (one.before.file, one.before.start),
            (one.now.file, one.now.start),
        ):
            run = Taken(_longer(run.before, one.before), _longer(run.now, one.now))
            continue
        if run:
            yield run
        run = one
    if run:
        yield run


def _end(piece: Piece) -> tuple[Path, int]:
    return piece.file, piece.start + piece.size


def _longer(piece: Piece, by: Piece) -> Piece:
    return Piece(piece.file, piece.start, piece.size + by.size)


def _said_of(con: duckdb.DuckDBPyConnection, piece: Piece) -> Sequence[tuple[object, ...]]:
    """All that DuckDB finds in a footer about the columns of a piece, in their order."""
    places = ", ".join(f"nullif({place}, 0) - {piece.start}" for place in PLACES)
    return con.execute(
        f"select * exclude ({', '.join((*NOT_COMPARED, *PLACES))}), {places} "
        f"from parquet_metadata({literal(str(piece.file))}) "
        "where coalesce(dictionary_page_offset, data_page_offset) >= ? "
        "and coalesce(dictionary_page_offset, data_page_offset) < ? "
        "order by row_group_id, column_id",
        [piece.start, piece.start + piece.size],
    ).fetchall()


def _sums(con: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, str]:
    rows, total = sums_of(con, relation, NO_DAY).get(0, (0, 0))
    return rows, str(total)
