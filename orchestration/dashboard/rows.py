"""Rows of the serving file as the sections hand them to the page.

Belongs here: reading rows, plain numbers, and how many rows a table shows. Does not belong here:
what is asked (acts.py, days.py, values.py), numbers as text (wording.py).
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

Rows = list[dict[str, Any]]


def rows_of(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Rows:
    """What a query gives, with plain numbers. Raises duckdb.Error."""
    cursor = connection.execute(query, list(values))
    names = [column[0] for column in cursor.description]
    return [plain(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Decimals as numbers, and what is no number as none."""
    found = {}
    for column, value in row.items():
        if isinstance(value, Decimal):
            value = float(value)
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        found[column] = value
    return found


def expect(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    """Raise duckdb.CatalogException where the mart is missing, which is not the same as empty."""
    connection.execute(f"select 1 from marts.{mart} limit 0")


def top(rows: Sequence[Any], most: int) -> dict[str, Any]:
    """The first rows, and how many there are beyond."""
    return {"rows": list(rows[:most]), "more": max(0, len(rows) - most), "all": len(rows)}


def several(rows: Rows) -> bool:
    """Whether the rows are of more than one goal, so that each must name its own."""
    return len({row["macro_conversion"] for row in rows}) > 1
