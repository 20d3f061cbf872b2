"""Dagster's own storage elsewhere than in the home, without the ids of some people.

Belongs here: the database that an instance of DAGSTER_HOME keeps its runs and events in. Does not
belong here: files, also those of a storage in the home (files.py).
"""

import os

from dagster import DagsterInstance
from dagster._core.storage.event_log import EventLogStorage
from sqlalchemy import Connection, MetaData, String, Table, select, text

from orchestration.erasure.files import STORAGE, Erased
from orchestration.erasure.ids import Mentions
from orchestration.errors import IntentMapError, first_line

CHUNK = 1_000


def erase_from_history(mentions: Mentions, erased: Erased) -> None:
    """Take the ids out of the PostgreSQL database of the instance that DAGSTER_HOME names. One that
    keeps its storage otherwise is noted as left.

    Raises IntentMapError when the database cannot be reached; the same command again goes on.
    """
    if not os.environ.get("DAGSTER_HOME"):
        return
    try:
        with DagsterInstance.get() as instance:
            storage = instance.event_log_storage
            kind = type(storage).__module__
            if kind.startswith("dagster_postgres."):
                erased.add(STORAGE, _clean_database(storage, mentions))
            elif not kind.startswith("orchestration."):
                erased.left.append((f"{STORAGE} of DAGSTER_HOME", "it is not in PostgreSQL"))
    # the database's driver, SQLAlchemy and Dagster's package for it each have their own
    except Exception as error:
        raise IntentMapError(
            f"Dagster's database cannot be cleaned: {first_line(error)} Run the same "
            "command again when it can; until then the raw rows stay, since they tell whom to look "
            "for."
        ) from error


def _clean_database(storage: EventLogStorage, mentions: Mentions) -> int:
    """Of all tables of the database that events are in; returns how many rows changed."""
    with storage.index_transaction() as con:
        tables = MetaData()
        tables.reflect(con)
        changed = {table.name: _clean(con, table, mentions) for table in tables.sorted_tables}
    with storage.index_connection() as con:
        for name in sorted(name for name, rows in changed.items() if rows):
            # the old rows stay readable in the table's file until it is written anew
            con.execute(text(f'vacuum full "{name}"'))
    return sum(changed.values())


def _clean(con: Connection, table: Table, mentions: Mentions) -> int:
    keys = list(table.primary_key.columns)
    texts = [one for one in table.columns if isinstance(one.type, String) and one not in keys]
    if not keys or not texts:
        return 0
    changes = []
    rows = con.execute(select(*keys, *texts).execution_options(yield_per=CHUNK))
    for row in rows:
        key, values = row[: len(keys)], row[len(keys) :]
        new = [mentions.taken_out_of_record(one) if one else one for one in values]
        if new != list(values):
            changes.append((key, new))
    for key, new in changes:
        change = table.update().values(dict(zip(texts, new, strict=True)))
        for column, value in zip(keys, key, strict=True):
            change = change.where(column == value)
        con.execute(change)
    return len(changes)
