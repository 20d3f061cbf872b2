"""Large Parquet files stay as they came: a copy in the warehouse's folder, read in place by a view.

Belongs here: which files are kept so, the copy and its check, the view that puts kept files and the
rows of all others together under the name of the raw table.
Does not belong here: deciding whether a file is new (run.py), reading its values (columns.py).

Writing a wide row into a table costs ten times what reading it costs, and takes more room than the
file. docs/adr/0017 has the figures.
"""

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import duckdb

from orchestration.disk import to_disk
from orchestration.errors import IntentMapError
from orchestration.landing import reading
from orchestration.landing.columns import (
    Relation,
    checking_select,
    landing_select,
    match_columns,
)
from orchestration.landing.declaration import RAW_TABLE, TECHNICAL_COLUMNS, raw_tables
from orchestration.landing.files import LandingFile
from orchestration.landing.values import SourceColumn
from orchestration.sources import LANDING_SOURCES, SOURCES
from orchestration.sql_text import literal, quoted

# smaller files cost more to open each night than their rows cost in a table
KEPT_FROM_BYTES = 8 * 1024 * 1024
FOLDER = "raw"
ROWS = "_rows"
UNFINISHED = ".unfinished"
LONGEST_NAME = 200
# a kept file that rows were taken out of: the number that each row had, and a folder of its own
ROW_NUMBER = "intent_map_row_number"
REWRITTEN = "rewritten"
# a kept file is never written to, so its columns are looked up once in a run
_types_of_kept: dict[Path, tuple[tuple[str, str], ...]] = {}
_RESERVED = {
    *(*TECHNICAL_COLUMNS, "landed", "filename", "file_row_number", ROW_NUMBER, REWRITTEN),
}


@dataclass(frozen=True)
class KeptFile:
    """One kept file: its load, and its path below the folder of kept files.

    is_clean: its check has shown that each value stands in it as raw declares it, so that readings
    need not look for empty texts and for what cannot be read.
    """

    source: str
    load_id: int
    path: str
    is_clean: bool = False


def may_be_kept(file: LandingFile, size: int, shape: reading.Shape) -> bool:
    """Whether the file can be read in place: Parquet, large, and no column that must become a
    property, which is better done once than at each reading."""
    if shape.format != "parquet" or size < KEPT_FROM_BYTES:
        return False
    # spend and orders are read whole each night, so their rows are better in a table
    if not LANDING_SOURCES[file.source].holds_events:
        return False
    names = [name for name, _ in shape.parquet_columns]
    if _RESERVED & {name.strip().lower() for name in names}:
        return False
    found = [SourceColumn(name, name, reading.TEXT) for name in names]
    has_properties = any(
        c.name == "properties" for c in raw_tables()[RAW_TABLE[file.source]].columns
    )
    if has_properties and match_columns(file.source, found).others:
        return False
    return len(_encoded(file)) <= LONGEST_NAME


def copy(home_folder: Path, file: LandingFile, load_id: int, landed_microseconds: int) -> KeptFile:
    """Copy the file to where it is kept, flushed to disk; raises OSError."""
    path = f"{file.source}/load_id={load_id}/landed={landed_microseconds}/{_encoded(file)}"
    target = home_folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + UNFINISHED)
    shutil.copyfile(file.path, part)
    to_disk(part)
    part.replace(target)
    to_disk(target.parent)
    return KeptFile(file.source, load_id, path)


@dataclass(frozen=True)
class Checked:
    """What reading each value of a file once has shown; is_clean as in KeptFile."""

    rows: int
    unreadable_rows: int
    is_clean: bool


def check(
    con: duckdb.DuckDBPyConnection, home_folder: Path, files: Sequence[KeptFile]
) -> dict[int, Checked]:
    """Read every value of kept files once; load_id → what was found.

    Raises duckdb.Error when one cannot be read to its end, and Refused when a column is missing.
    """
    found = {file.load_id: Checked(0, 0, True) for file in files}
    for alike in _by_shape(con, home_folder, files):
        reader, of_one = _reader(home_folder, alike), _reader(home_folder, alike[:1])
        found |= _read_through(con, alike[0].source, _relation(con, reader, of_one), "load_id")
    return found


def check_where_it_lies(con: duckdb.DuckDBPyConnection, file: LandingFile) -> Checked:
    """Read every value of a file in the landing folder once; raises as check does."""
    reader = reading.parquet_rows([str(file.path)])
    relation = _relation(con, reader, reader)
    return _read_through(con, file.source, relation, "0").get(0, Checked(0, 0, True))


def _read_through(
    con: duckdb.DuckDBPyConnection, source: str, relation: Relation, load_id: str
) -> dict[int, Checked]:
    found = con.execute(checking_select(source, relation, load_id)).fetchall()
    return {
        load: Checked(rows, unreadable, not unreadable and not is_cleaned)
        for load, rows, is_cleaned, unreadable, *_ in found
    }


def kept_files(con: duckdb.DuckDBPyConnection, source: str) -> list[KeptFile]:
    """What the ledger says is kept, in the order of landing."""
    rows = con.execute(
        "select load_id, kept_file, coalesce(kept_is_clean, false) from raw.loads "
        "where source = ? and kept_file is not null order by load_id",
        [source],
    ).fetchall()
    return [KeptFile(source, *row) for row in rows]


def has_view(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether the source's raw table is a view over kept files and the table of all other rows."""
    return bool(
        con.execute(
            "select 1 from duckdb_tables() where database_name = current_database() "
            "and schema_name = 'raw' and table_name = ?",
            [RAW_TABLE[source] + ROWS],
        ).fetchall()
    )


def table_of_rows(con: duckdb.DuckDBPyConnection, source: str) -> str:
    """The table that rows of files which are not kept go to."""
    return RAW_TABLE[source] + (ROWS if has_view(con, source) else "")


def create_view(con: duckdb.DuckDBPyConnection, home_folder: Path, source: str) -> None:
    """Put the view in the place of the source's raw table, or bring it up to date; the caller holds
    the transaction. Paths in it are absolute, so each landing makes it anew: a home may have moved.

    Raises IntentMapError when a kept file is gone.
    """
    name = RAW_TABLE[source]
    if not has_view(con, source):
        con.execute(f"alter table raw.{quoted(name)} rename to {quoted(name + ROWS)}")
    columns = ", ".join(quoted(column.name) for column in raw_tables()[name].columns)
    parts = [f"select {columns} from raw.{quoted(name + ROWS)}"]
    for files in _by_shape(con, home_folder, kept_files(con, source)):
        parts.append(f"select {columns} from ({_select(con, home_folder, files)})")
    con.execute(f"create or replace view raw.{quoted(name)} as {' union all '.join(parts)}")


def write_without(
    con: duckdb.DuckDBPyConnection, home_folder: Path, file: KeptFile, removed: str, mark: int
) -> KeptFile:
    """Write a kept file once more, without some rows and with the numbers that the others have.

    removed: a query of the row numbers to leave out. mark: names the folder of its own that it
    gets, so that the old one stays until the ledger says otherwise. Flushed to disk.
    """
    name = file.path.rsplit(f"/{_load_folder(file)}/", 1)[1]
    path = f"{file.source}/{REWRITTEN}={mark}/{_load_folder(file)}/{name}"
    target = home_folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + UNFINISHED)
    source = reading.parquet_rows([str(home_folder / file.path)])
    has_numbers = ROW_NUMBER in [column.lower() for column in con.sql(f"from {source}").columns]
    number = ROW_NUMBER if has_numbers else "file_row_number + 1"
    con.execute(
        f"copy (select * exclude (file_row_number{', ' * has_numbers}{ROW_NUMBER * has_numbers}), "
        f"{number} as {ROW_NUMBER} from {source} where {number} not in ({removed})) "
        f"to {literal(str(part))} (format parquet, compression zstd)"
    )
    to_disk(part)
    part.replace(target)
    to_disk(target.parent)
    return replace(file, path=path)


def _load_folder(file: KeptFile) -> str:
    return f"load_id={file.load_id}"


def remove_leftovers(con: duckdb.DuckDBPyConnection, home_folder: Path) -> None:
    """Copies of a run that was killed before it could note them."""
    if not home_folder.is_dir():
        return
    known = {file.path.rsplit("/", 1)[0] for source in SOURCES for file in kept_files(con, source)}
    for folder in [*home_folder.rglob("landed=*")]:
        if str(folder.relative_to(home_folder)) not in known:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                for parent in list(folder.relative_to(home_folder).parents)[:-2]:
                    (home_folder / parent).rmdir()


def _encoded(file: LandingFile) -> str:
    """The file's name in one piece without '/' and '=', which mean something in such a path."""
    return quote(file.shown, safe=" ")


def _by_shape(
    con: duckdb.DuckDBPyConnection, home_folder: Path, files: Iterable[KeptFile]
) -> list[list[KeptFile]]:
    files = list(files)
    for file in files:
        path = home_folder / file.path
        if not path.is_file():
            raise IntentMapError(
                f"The landed file {path} is gone, and its rows with it. Put it back from a backup, "
                "or drop the original below the landing folder under a new name and delete load "
                f"{file.load_id} from raw.loads."
            )
    _look_up_types(con, home_folder, files)
    shapes: dict[tuple, list[KeptFile]] = {}
    for file in files:
        types = _types_of_kept[home_folder / file.path]
        shapes.setdefault((file.is_clean, types), []).append(file)
    return list(shapes.values())


def _look_up_types(
    con: duckdb.DuckDBPyConnection, home_folder: Path, files: Iterable[KeptFile]
) -> None:
    """Fill _types_of_kept. Of files whose footers say the same one is opened for all: behind a year
    opening each took a third of a second."""
    new = {home_folder / file.path: file for file in files}
    for known in _types_of_kept.keys() & new.keys():
        del new[known]
    if not new:
        return
    types_of_schema: dict[str, tuple[tuple[str, str], ...]] = {}
    for name, schema in con.execute(reading.parquet_schemas(list(map(str, new)))).fetchall():
        if schema not in types_of_schema:
            found = con.sql(f"select * from {_reader(home_folder, [new[Path(name)]])}")
            types_of_schema[schema] = tuple(zip(found.columns, map(str, found.types), strict=True))
        _types_of_kept[Path(name)] = types_of_schema[schema]


def _reader(home_folder: Path, files: list[KeptFile]) -> str:
    paths = [str(home_folder / file.path) for file in files]
    return reading.parquet_in_place(paths, {"load_id": "bigint", "landed": "bigint"})


def _select(con: duckdb.DuckDBPyConnection, home_folder: Path, files: list[KeptFile]) -> str:
    """Rows of kept files of one shape, as the raw table declares them."""
    reader = _reader(home_folder, files)
    technical = {
        "load_id": "load_id",
        "row_number": "__row",
        "file_name": "url_decode(parse_filename(__file))",
        "landed_at": "make_timestamp(landed)",
    }
    return landing_select(
        files[0].source,
        _relation(con, reader, _reader(home_folder, files[:1])),
        technical,
        is_clean=files[0].is_clean,
    )


def _relation(con: duckdb.DuckDBPyConnection, reader: str, reader_of_one: str) -> Relation:
    """What a reader reads. reader_of_one: of one of the same files, which tells the columns."""
    found = con.sql(f"select * from {reader_of_one}")
    columns = tuple(
        SourceColumn(name, quoted(name), kind)
        for name, kind in zip(found.columns, found.types, strict=True)
        if name.lower() not in _RESERVED and name != "__file"
    )
    has_numbers = ROW_NUMBER in [name.lower() for name in found.columns]
    number = ROW_NUMBER if has_numbers else "file_row_number + 1"
    return Relation(f"select *, {number} as __row from {reader}", columns)
