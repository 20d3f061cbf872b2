"""Taking rows out of schema raw, so that landing, reconciliation and kept files agree afterwards.

Belongs here: the temporary table `removed` and what follows from it: kept files written anew
without the rows, raw tables, raw.removals. Does not belong here: which rows go (erasure/,
retention.py), what is built from them (the models).

Numbers of loads and rows stay as they were: a row is known by them. The ledger keeps every file's
checksum and rows, so no file that landed once lands again.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import duckdb

from orchestration import layout
from orchestration.landing import RAW_TABLE, kept
from orchestration.landing.warehouse import Warehouse
from orchestration.sources import SOURCES
from orchestration.sql_text import quoted

ERASED, RETIRED, REFUSED, GIVEN_UP = "erased", "retired", "refused", "given_up"
REMOVED = "removed"


def is_there(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the warehouse has a table or view of that name, with its schema before a dot."""
    schema, table = name.split(".")
    return bool(
        con.execute(
            "select 1 from information_schema.tables where table_catalog = current_database() "
            "and table_schema = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    )


def create_removed(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty temporary table that names the rows to be taken out, each once."""
    con.execute(
        f"create or replace temp table {REMOVED} "
        "(source varchar, load_id bigint, row_number bigint)"
    )


def counted(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Source → rows named in the temporary table."""
    rows = con.execute(f"select source, count(*) from {REMOVED} group by source").fetchall()
    return dict(rows)


@contextlib.contextmanager
def removal(warehouse: Warehouse, reason: str, now: datetime) -> Iterator[None]:
    """Take the named rows out of raw; the block's own statements join the same transaction.

    Kept files are written anew first, each beside the old one, which goes when all is committed: a
    kill leaves either everything as it was or the whole removal.
    """
    con = warehouse.con
    rewritten = {source: _without_removed(warehouse, source, now) for source in SOURCES}
    con.begin()
    try:
        for source in SOURCES:
            _delete(con, source)
            for file in rewritten[source]:
                con.execute(
                    "update raw.loads set kept_file = ? where load_id = ?",
                    [file.path or None, file.load_id],
                )
            if rewritten[source]:
                kept.create_view(con, warehouse.kept_folder, source)
        con.execute(
            f"insert into raw.removals (source, load_id, row_count, reason, removed_at) "
            f"select source, load_id, count(*), ?, ? from {REMOVED} group by source, load_id",
            [reason, now],
        )
        yield
        con.commit()
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            con.rollback()
        raise
    kept.remove_leftovers(con, warehouse.kept_folder)


def forget_rules(con: duckdb.DuckDBPyConnection, but: Iterable[str] = ()) -> None:
    """Let the next night build everything anew, but for some models, by forgetting under which
    rules it was built."""
    if is_there(con, layout.TABLE):
        con.execute(
            f"delete from {layout.TABLE} where not list_contains(?::varchar[], name)",
            [[layout.NOTE, *but]],
        )


def _without_removed(warehouse: Warehouse, source: str, now: datetime) -> list[kept.KeptFile]:
    """The source's kept files that lose rows, written anew; without a path when none is left."""
    con, found = warehouse.con, []
    mark = round(now.timestamp())
    for file in kept.kept_files(con, source):
        numbers = f"select row_number from {REMOVED} where load_id = {file.load_id}"
        (gone,) = con.execute(f"select count(*) from ({numbers})").fetchone()
        if not gone:
            continue
        (rows,) = con.execute(
            f"select count(*) from raw.{quoted(RAW_TABLE[source])} where load_id = {file.load_id}"
        ).fetchone()
        if gone == rows:
            found.append(replace(file, path=""))
            continue
        while f"{kept.REWRITTEN}={mark}/" in file.path:
            mark += 1
        found.append(kept.write_without(con, warehouse.kept_folder, file, numbers, mark))
    return found


def _delete(con: duckdb.DuckDBPyConnection, source: str) -> None:
    table = f"raw.{quoted(kept.table_of_rows(con, source))}"
    is_table = con.execute(
        "select 1 from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'raw' and table_name = ?",
        [kept.table_of_rows(con, source)],
    ).fetchall()
    # an attached table's view has no rows of ours
    if is_table:
        con.execute(
            f"delete from {table} as held using {REMOVED} as gone where gone.source = '{source}' "
            "and held.load_id = gone.load_id and held.row_number = gone.row_number"
        )
