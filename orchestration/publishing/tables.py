"""The tables of the serving file, brought to what the warehouse has.

Belongs here: which marts there are, their rows without personal ids, and replacing the parts of a
table that differ. Does not belong here: how parts are told apart and compared (parts.py), Parquet
(parquet_files.py), reading the new tables back (reading_back.py).
"""

import contextlib
import os
import shutil
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from orchestration.disk import to_disk
from orchestration.errors import IntentMapError
from orchestration.layout import layout_of
from orchestration.publishing.parts import (
    NO_DAY,
    PERSONAL_IDS,
    Before,
    NotAsPublishedError,
    PublishedPart,
    PublishedTable,
    Sources,
    columns_of,
    day_of,
    different,
    rows_of_part,
    sources_of,
    sums_of,
)
from orchestration.settings import SERVING_FILE, Settings
from orchestration.sql_text import literal, quoted

SCHEMA = "marts"
PUBLICATION = "publication"
# the oldest storage that DuckDB still writes: clients from 1.1 on read it
STORAGE_VERSION = "v1.0.0"


@contextlib.contextmanager
def connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with the warehouse attached, to be read only."""
    spill = settings.warehouse.parent / "spill"
    config = {"temp_directory": str(spill), "preserve_insertion_order": "false"}
    limit = os.environ.get("INTENT_MAP_MEMORY_LIMIT")
    con = duckdb.connect(config=config | ({"memory_limit": limit} if limit else {}))
    try:
        con.execute("set TimeZone = 'UTC'")
        # once, when the serving file is closed: it costs more, the larger the file is
        con.execute("set checkpoint_threshold = '1 TB'")
        # as a variable the key is in no statement that an error could show
        con.execute("set variable hash_key = ?", [settings.hash_key])
        con.execute(f"attach {literal(str(settings.warehouse))} as warehouse (read_only)")
        layout_of(con, settings, "warehouse")
        yield con
    finally:
        con.close()


def _marts(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    names = [
        name
        for (name,) in con.execute(
            "select table_name from information_schema.tables "
            "where table_catalog = 'warehouse' and table_schema = ? order by table_name",
            [SCHEMA],
        ).fetchall()
        # a killed dbt run can leave its half-made tables behind
        if name.startswith("mart_") and "__dbt_" not in name
    ]
    if not names:
        raise IntentMapError(
            f"There is nothing to publish: {settings.warehouse} has no table in schema {SCHEMA}. "
            "Run the nightly job first."
        )
    return names


def sources_of_marts(settings: Settings, new_file: Path | None) -> dict[str, Sources]:
    """All marts as they are in the warehouse. new_file: where the served file is copied to
    meanwhile, None for nowhere."""
    with ThreadPoolExecutor(1) as beside, connection(settings) as con:
        copying = beside.submit(_copy_served, settings, new_file) if new_file else None
        sources = {
            name: sources_of(con, name, in_catalog("warehouse", name), settings.hash_key)
            for name in _marts(con, settings)
        }
        if copying:
            copying.result()
    return sources


def _copy_served(settings: Settings, new_file: Path) -> None:
    shutil.copyfile(settings.serving / SERVING_FILE, new_file)
    # DuckDB waits for the disk when it closes the file, and then has less to wait for
    to_disk(new_file)


def drop_what_is_gone(
    con: duckdb.DuckDBPyConnection, names: Container[str], before: Before
) -> None:
    """Drop the served tables of no mart. Raises NotAsPublishedError when the file is not the one
    that is gone on from."""
    publication = in_catalog("served", PUBLICATION)
    runs = con.execute(f"select distinct run_id from {publication}").fetchall()
    if runs != [(before.run_id,)]:
        raise NotAsPublishedError("the served file is not the one of the manifest.")
    for (name,) in con.execute(
        "select table_name from information_schema.tables where table_catalog = 'served'"
    ).fetchall():
        if name not in names and name != PUBLICATION:
            con.execute(f"drop table {in_catalog('served', name)}")


def bring_up_to_date(
    con: duckdb.DuckDBPyConnection, name: str, sources: Sources, old: PublishedTable | None
) -> tuple[dict[int, PublishedPart], list[int]]:
    """Bring one table up to date; returns all its parts and which of them were replaced."""
    served, selection = in_catalog("served", name), _selection(con, name)
    columns = columns_of(con, f"({selection})")
    day = day_of(name, (column for column, _ in columns))
    if old is not None and columns_of(con, served) != columns:
        old = None
    changed = different(sources, old)
    if old is None or (changed and day == NO_DAY):
        changed = sorted({*sources, *changed})
        kept = {}
        # the warehouse has them in order of days, so a week stands nearly together here too, and
        # replacing it later rewrites few other rows
        con.execute(f"create or replace table {served} as {selection}")
    else:
        kept = {part.part: part for part in old.parts if part.part not in changed}
        for part in changed:
            chosen = f"where {rows_of_part(name, part)}"
            con.execute(f"delete from {served} {chosen}")
            con.execute(f"insert into {served} {selection} {chosen}")
    counted = {
        part: (sources[part].rows, sources[part].checksum) for part in changed if part in sources
    }
    if any(checksum is None for _, checksum in counted.values()):
        sums = sums_of(con, served, day)
        counted = {part: (rows, str(total)) for part, (rows, total) in sums.items()}
    new = {
        part: PublishedPart(part, rows, str(checksum), sources[part].proof, parquet_bytes=0)
        for part, (rows, checksum) in counted.items()
        if part not in kept and part in sources
    }
    return kept | new, changed


def expect_all_parts(name: str, parts: dict[int, PublishedPart], sources: Sources) -> None:
    """Raise where what was copied or kept is not what the warehouse has; the rows themselves are
    read back later."""
    found = {part: (source.rows, source.proof) for part, source in sources.items()}
    if {part.part: (part.rows, part.source) for part in parts.values()} != found:
        raise IntentMapError(
            f"Table {name} does not have the same rows in the warehouse and in its copy; "
            "nothing was published. Publish again."
        )


def _selection(con: duckdb.DuckDBPyConnection, name: str) -> str:
    # without a key, and for an id that is null, the hash is null
    expressions = [
        f"sha256(getvariable('hash_key') || '|' || cast({quoted(column)} as varchar)) "
        f"as {quoted(column)}"
        if column in PERSONAL_IDS
        else quoted(column)
        for column, _ in columns_of(con, in_catalog("warehouse", name))
    ]
    return f"select {', '.join(expressions)} from {in_catalog('warehouse', name)}"


def in_catalog(catalog: str, table: str) -> str:
    """A published table, of the warehouse or of the served file, as SQL names it."""
    return f"{catalog}.{SCHEMA}.{quoted(table)}"
