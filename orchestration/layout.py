"""The number of a warehouse's layout, and refusing one that is newer than this release.

Belongs here: the table in which the number stands, and reading it. Does not belong here: the steps
from one layout to the next (migrations.py), under which rules tables were built (fingerprint.py),
which stands in the same table.
"""

import json

import duckdb

from orchestration.errors import IntentMapError
from orchestration.settings import Settings

TABLE = "raw.build_state"
NOTE = "(layout)"
# the newest that this release knows: as many as there are steps
LAYOUT = 1


def create_table(con: duckdb.DuckDBPyConnection) -> None:
    """Make the table of what is noted, where it is missing."""
    con.execute("create schema if not exists raw")
    con.execute(
        f"create table if not exists {TABLE} "
        "(name varchar primary key, value varchar, built_at timestamp)"
    )


def layout_of(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    database: str | None = None,
    known: int = LAYOUT,
) -> int | None:
    """The number that a warehouse has: 0 of one from before there were numbers, None of one that
    no run has gone through yet, so that nothing in it is old. database: its name where it is
    attached. Raises IntentMapError when the number is greater than known."""
    table = f"{database}.{TABLE}" if database else TABLE
    try:
        found = con.execute(f"select value from {table} where name = ?", [NOTE]).fetchall()
    except duckdb.CatalogException:
        return None
    number = json.loads(found[0][0]) if found else 0
    if number > known:
        raise IntentMapError(
            f"The warehouse {settings.warehouse} was made by a newer release (layout {number}; "
            f"this one knows up to {known}). Install that release again, or put back a backup "
            "from before the upgrade."
        )
    return number
