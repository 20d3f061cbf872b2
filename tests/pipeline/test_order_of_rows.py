"""No figure depends on the order in which rows lie.

Else a night, which writes them in another order than a full refresh, leaves other last digits, and
notes as changed what is as it was.
"""

from pathlib import Path

import duckdb
import pytest
from pipeline.homes import Home
from pipeline.valued_home import ValuedHome

from orchestration.dbt_runner import target_path

ORDERS = 5


@pytest.fixture(scope="module")
def rebuilt(valued: ValuedHome) -> Home:
    return valued.written_again("order_of_rows")


def models_of(home: Home, clock: str) -> list[Path]:
    """The SQL of all models as dbt ran it for the home last."""
    folder = target_path(home.settings, clock) / "compiled" / "intent_map" / "models"
    return sorted(folder.glob("*/*.sql"))


@pytest.mark.deep
@pytest.mark.parametrize(("clock", "least"), [("nightly", 60), ("quarterly", 15)])
def test_rows_in_another_order_give_the_same_figures(rebuilt: Home, clock: str, least: int) -> None:
    models = models_of(rebuilt, clock)
    assert len(models) > least
    found: dict[str, set[str]] = {model.stem: set() for model in models}
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"attach '{rebuilt.settings.warehouse}' as kept (read_only)")
        con.execute(f"attach ':memory:' as {rebuilt.settings.warehouse.stem}")
        con.execute(f"use {rebuilt.settings.warehouse.stem}")
        tables = in_kept(con, "duckdb_tables", "table_name")
        views = in_kept(con, "duckdb_views", "view_name")
        for schema in {schema for schema, *_ in (*tables, *views)}:
            con.execute(f'create schema if not exists "{schema}"')
        for order in range(ORDERS):
            con.execute("select setseed(?)", [order / ORDERS])
            for schema, name, _ in tables:
                con.execute(
                    f'create or replace table "{schema}"."{name}" as '
                    f'from kept."{schema}"."{name}" order by random()'
                )
            if not order:
                create(con, [statement for *_, statement in views])
            for model in models:
                rows = con.execute(model.read_text(encoding="utf-8")).fetchall()
                found[model.stem].add("\n".join(sorted(map(repr, rows))))
    assert not [name for name, results in found.items() if len(results) > 1]


def in_kept(con: duckdb.DuckDBPyConnection, kind: str, name: str) -> list[tuple[str, str, str]]:
    return con.execute(
        f"select schema_name, {name}, sql from {kind}() "
        "where database_name = 'kept' and not internal"
    ).fetchall()


def create(con: duckdb.DuckDBPyConnection, views: list[str]) -> None:
    """Run these statements, each when the views that it reads are there."""
    while views:
        waiting = []
        for statement in views:
            try:
                con.execute(statement)
            except duckdb.CatalogException:
                waiting.append(statement)
        assert len(waiting) < len(views), waiting
        views = waiting
