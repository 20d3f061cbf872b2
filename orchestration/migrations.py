"""A new release over a warehouse that an older one made.

Belongs here: the steps from one layout to the next, and what every upgrade needs: columns that kept
tables gained, tables that no model makes any more. Does not belong here: the number of the layout
(layout.py), raw tables (landing/declaration.py adds their columns), rows that follow old rules
(fingerprint.py has them built anew).

Almost everything in a warehouse can be built anew from raw, so only what outlives a full refresh
needs steps: raw, and the kept version tables. The layout's number stands in raw.build_state. Each
step is one transaction with its number, so a killed upgrade goes on where it stopped.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.layout import NOTE, TABLE, create_table, layout_of
from orchestration.retention import retired_rows
from orchestration.settings import Settings

# all their tables are built anew; a version table that lost its model is history all the same
REBUILT_FLOORS = ("staging", "intermediate", "marts")
# in the name of what a killed run of dbt left
HALF_MADE = "__dbt_"

Step = Callable[[duckdb.DuckDBPyConnection], None]

# what each layout needs on top of the one before it: (what it does, how). The first numbered
# layout needs nothing. A step added here never changes again; a test upgrades a warehouse of the
# release before it, recorded in tests/orchestration/layouts/.
STEPS: tuple[tuple[str, Step], ...] = (("number the layout", lambda con: None),)


def bring_up_to_date(
    settings: Settings,
    manifest: Mapping[str, Any],
    report: Callable[[str], None] = print,
    steps: tuple[tuple[str, Step], ...] = STEPS,
) -> None:
    """Make the warehouse what this release expects; one that is not there yet is left so.

    The caller holds the writer's lock. Raises IntentMapError when a newer release made it, or when
    a kept table cannot take its declared columns.
    """
    if not settings.warehouse.exists():
        return
    with duckdb.connect(str(settings.warehouse)) as con:
        before = layout_of(con, settings, known=len(steps))
        if before is None:
            before = len(steps)
            _note(con, before)
        for number, (what, step) in enumerate(steps[before:], start=before + 1):
            with _transaction(con):
                step(con)
                _note(con, number)
            if before:
                report(f"Upgraded the warehouse to layout {number}: {what}.")
        for node in _models(manifest):
            if node["config"].get("meta", {}).get("is_kept"):
                _add_columns(con, node, report)
        _drop_what_no_model_makes(con, manifest, report)


def _note(con: duckdb.DuckDBPyConnection, number: int) -> None:
    create_table(con)
    now = datetime.now(UTC).replace(tzinfo=None)
    con.execute(f"insert or replace into {TABLE} values (?, ?, ?)", [NOTE, str(number), now])


def _add_columns(
    con: duckdb.DuckDBPyConnection, node: Mapping[str, Any], report: Callable[[str], None]
) -> None:
    """What the YAML declares since: old versions have nothing there."""
    schema, name = node["schema"], node.get("alias") or node["name"]
    existing = _columns(con, schema, name)
    if not existing:
        return
    for column in node["columns"].values():
        wanted = str(con.sqltype(column["data_type"]))
        found = existing.get(column["name"].lower())
        if found == wanted:
            continue
        action = (
            f'add column "{column["name"]}" {wanted}'
            if found is None
            else f'alter column "{column["name"]}" set data type {wanted}'
        )
        try:
            con.execute(f"alter table {schema}.{name} {action}")
        except duckdb.Error as error:
            raise IntentMapError(
                f"The kept versions in {schema}.{name} cannot be brought to this release "
                f"({action}): {first_line(error)} Keep the old release for this home."
            ) from error
        report(f"Upgraded {schema}.{name}: {action}.")


def _drop_what_no_model_makes(
    con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], report: Callable[[str], None]
) -> None:
    """Also what a killed run of dbt left half made."""
    made = {(node["schema"], node.get("alias") or node["name"]) for node in _models(manifest)}
    if not made:
        return
    found = con.execute(
        "select table_schema, table_name, table_type from information_schema.tables "
        f"where table_catalog = current_database() and table_schema in {REBUILT_FLOORS} "
        "order by all"
    ).fetchall()
    # of retired rows they may be all that is left, and this release may be refused yet
    stays = {"intermediate"} if retired_rows(con) else set()
    for schema, name, kind in found:
        if (schema, name) in made:
            continue
        if schema in stays and kind != "VIEW" and HALF_MADE not in name:
            continue
        con.execute(f'drop {"view" if kind == "VIEW" else "table"} {schema}."{name}"')
        report(f"Removed {schema}.{name}: no model makes it any more.")


def _models(manifest: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def _columns(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    return {
        name.lower(): data_type
        for name, data_type in con.execute(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = current_database() and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    }


@contextlib.contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
        con.commit()
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            con.rollback()
        raise
