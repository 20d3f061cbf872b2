"""What differs between the warehouse and the file that is served, by comparing sums of row hashes.

Belongs here: the parts of a mart, their counts and sums, what of the last publish still holds. Does
not belong here: writing, checking and replacing files (tables.py, parquet_files.py).

A part is compared by the warehouse's own columns, so no id has to be hashed with the key to see
that nothing changed. What is kept of that sum is an HMAC with the key: a sum over a single row
would tell, to whoever guesses an id, that the id is in it.
"""

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

PERSONAL_IDS = ("visitor_id", "user_key", "user_id")

# the marts that grow with every visit, by the week of a moment that stays with a row; all others
# are one part each: they are small, or are built anew as a whole
MOMENT_OF = {
    "mart_sessions": "session_date",
    "mart_micro_conversions": "occurred_at",
    "mart_macro_conversions": "occurred_at",
}

# of a mart of one part
NO_DAY = "cast(null as date)"

# bytes per row, against those of a file written whole: beyond it, replaced rows left too much room;
# a week that stands there twice while it is replaced does not lead there by itself
TOO_LOOSE = 2


class NotAsPublishedError(Exception):
    """What is served is not what its manifest describes, or cannot be gone on from."""


@dataclass(frozen=True)
class PublishedPart:
    """The rows of one week, by its Monday (20260706), or of a whole mart (0).

    checksum: over the rows as published. source: an HMAC over the rows as in the warehouse.
    parquet_bytes: of its rows in the mart's Parquet file, where the parts stand in their order; 0
    where the file was written as one.
    """

    part: int
    rows: int
    checksum: str
    source: str
    parquet_bytes: int


@dataclass(frozen=True)
class PublishedTable:
    """One mart as published. checksum: over all rows, in any order, as DuckDB hashes them."""

    name: str
    rows: int
    checksum: str
    parquet_bytes: int
    parquet_sha256: str
    parts: tuple[PublishedPart, ...]


# part → (rows, sum of the hashes of its rows)
Sums = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Source:
    """A part as it is in the warehouse.

    proof: what is kept of its rows, an HMAC. checksum: over the rows as they will be published,
    None where ids are hashed on the way.
    """

    rows: int
    proof: str
    checksum: str | None


Sources = dict[int, Source]


@dataclass(frozen=True)
class Before:
    """The last publish, as far as the next one can go on from it."""

    run_id: str
    tables: dict[str, PublishedTable]
    whole_bytes: int
    whole_rows: int


def columns_of(con: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """The columns of a table or a query in parentheses: name and type, in their order."""
    return [row[:2] for row in con.execute(f"describe select * from {relation}").fetchall()]


def day_of(name: str, columns: Iterable[str]) -> str:
    """The expression for the date by which a row of the mart `name` has its part."""
    moment = MOMENT_OF.get(name)
    return f"cast({moment} as date)" if moment in set(columns) else NO_DAY


def part_of(day: date | None) -> int:
    """The part of the rows of a date; of those without, too."""
    return int(f"{day - timedelta(days=day.weekday()):%Y%m%d}") if day else 0


def rows_of_part(name: str, part: int) -> str:
    """The condition for the rows of one part of a mart that has parts by week; as a range, so that
    other weeks of a table in order of days need not be read."""
    moment = MOMENT_OF[name]
    if part == 0:
        return f"{moment} is null"
    monday = date(part // 10000, part // 100 % 100, part % 100)
    return f"{moment} >= date '{monday}' and {moment} < date '{monday + timedelta(days=7)}'"


def sums_of(con: duckdb.DuckDBPyConnection, relation: str, day: str) -> Sums:
    """Count the rows of each part and add up their hashes. day: see day_of."""
    # an alias that is no column's name stands for the whole row; with the Monday of each row in the
    # place of its date this would cost half as much again
    days = con.execute(
        f"select {day} as day, count(*), sum(cast(hash(whole_row) as hugeint)) "
        f"from {relation} as whole_row group by all having count(*) > 0"
    ).fetchall()
    sums: Sums = {}
    for of_day, count, total in days:
        part = part_of(of_day)
        rows, so_far = sums.get(part, (0, 0))
        sums[part] = (rows + count, so_far + int(total))
    return sums


def sources_of(con: duckdb.DuckDBPyConnection, name: str, table: str, key: str | None) -> Sources:
    """The parts of a mart as they are in the warehouse, without the ids that are not published."""
    columns = [column for column, _ in columns_of(con, table)]
    ids = [column for column in columns if column in PERSONAL_IDS]
    relation = table
    if ids and key is None:
        empty = ", ".join(f"cast(null as varchar) as {column}" for column in ids)
        relation = f"(select * replace ({empty}) from {table})"
    return {
        part: Source(
            rows,
            hmac.digest(
                (key or "").encode(), f"{name}|{part}|{rows}|{total}".encode(), "sha256"
            ).hex(),
            None if ids and key else str(total),
        )
        for part, (rows, total) in sums_of(con, relation, day_of(name, columns)).items()
    }


def different(sources: Sources, before: PublishedTable | None) -> list[int]:
    """The parts that are not in the warehouse as they were published, gone ones included."""
    old = {part.part: (part.rows, part.source) for part in before.parts} if before else {}
    new = {part: (source.rows, source.proof) for part, source in sources.items()}
    return sorted(part for part in new | old if new.get(part) != old.get(part))


def read_before(manifest: Path, file: Path, same: dict[str, str]) -> Before:
    """What the last publish says of itself.

    same: what a file must have in common with the next one, as the manifest has it. Raises
    NotAsPublishedError when it has not, or when the file takes too much room for its rows.
    """
    try:
        noted = json.loads(manifest.read_text(encoding="utf-8"))
        tables = {
            table["name"]: PublishedTable(
                **{**table, "parts": tuple(PublishedPart(**part) for part in table["parts"])}
            )
            for table in noted["tables"]
        }
        before = Before(noted["run_id"], tables, noted["whole_bytes"], noted["whole_rows"])
        is_same = {name: noted[name] for name in same} == same
        is_its_file = file.stat().st_size == noted["serving_bytes"]
        rows = sum(table.rows for table in tables.values())
        is_loose = (
            noted["serving_bytes"] * before.whole_rows > TOO_LOOSE * before.whole_bytes * rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotAsPublishedError("the manifest or the served file cannot be read") from error
    if not is_same:
        raise NotAsPublishedError("DuckDB's version, its storage or the ids changed")
    if not is_its_file:
        raise NotAsPublishedError("the served file is not the one of the manifest")
    if is_loose:
        raise NotAsPublishedError("the served file has too much room that is not used")
    return before


def rows_published(manifest: Path, name: str) -> int:
    """Rows of a mart in the last publish; 0 where nothing says how many."""
    try:
        tables = json.loads(manifest.read_text(encoding="utf-8"))["tables"]
        return next((int(table["rows"]) for table in tables if table["name"] == name), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def expect_most_kept(sources: dict[str, Sources], before: Before) -> None:
    """Raise NotAsPublishedError when most rows differ: writing everything is cheaper then.

    So it is with another key: every part differs, and no old hash may stay in freed blocks.
    """
    changed = {name: different(parts, before.tables.get(name)) for name, parts in sources.items()}
    rows = sum(source.rows for parts in sources.values() for source in parts.values())
    written = sum(
        sources[name][part].rows
        for name, parts in changed.items()
        for part in parts
        if part in sources[name]
    )
    if 2 * written > rows:
        raise NotAsPublishedError("most rows changed")
