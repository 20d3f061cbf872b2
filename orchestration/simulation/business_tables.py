"""Spend and orders: the files that the ad account and the shop's till would export.

Belongs here: rows per day and campaign, rows per order, cut into monthly CSV files.
Does not belong here: events (generic_files.py, ga4_files.py), how clicks answer to spend
(traffic.py).
"""

from pathlib import Path

import duckdb
import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation.landing_files import copy_to, text_list
from orchestration.simulation.traffic import Traffic


class Orders:
    """Orders as the till knows them: all of them, also of people who refuse analytics."""

    def __init__(self) -> None:
        self._number: list[np.ndarray] = []
        self._time: list[np.ndarray] = []
        self._value: list[np.ndarray] = []

    def add(self, number: np.ndarray, time: np.ndarray, value: np.ndarray) -> None:
        self._number.append(number)
        self._time.append(time)
        self._value.append(value)

    def columns(self, end_time: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Final values: some differ from the event's by a late discount or an added item."""
        number, time, value = map(np.concatenate, (self._number, self._time, self._value))
        is_placed = time < end_time
        order = np.flatnonzero(is_placed)[np.argsort(time[is_placed], kind="stable")]
        number, time, value = number[order], time[order], value[order]
        is_changed = rng.random(len(order)) < c.REVALUED_SHARE
        factor = np.where(is_changed, rng.uniform(0.85, 1.15, len(order)), 1)
        return {
            "number": number,
            "time": time,
            "value": np.round(value * factor, 2),
            "is_refunded": rng.random(len(order)) < c.REFUNDED_SHARE,
        }


def write_orders(
    connection: duckdb.DuckDBPyConnection, folder: Path, columns: dict[str, np.ndarray]
) -> list[Path]:
    """One CSV file per month, named by it."""
    connection.register("order_rows", columns)
    select = """
        SELECT
            'A' || number AS order_id,
            make_timestamp(time) AS ordered_at,
            value::DECIMAL(18, 2) AS value,
            'USD' AS currency,
            CASE WHEN is_refunded THEN 'refunded' ELSE 'completed' END AS status
        FROM order_rows
    """
    paths = _write_months(
        connection, folder, "orders", select, "ordered_at", "ordered_at, order_id"
    )
    connection.unregister("order_rows")
    return paths


def write_spend(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    columns: dict[str, np.ndarray],
    traffic: Traffic,
) -> list[Path]:
    """One CSV file per month, named by it; campaigns are written as the events write them."""
    source, medium, name, _ = c.UNTRACKED_SPEND
    texts = {
        "campaign": [*(campaign.name for campaign in c.CAMPAIGNS), name],
        "source": [*(campaign.source for campaign in c.CAMPAIGNS), source],
        "medium": [*(campaign.medium for campaign in c.CAMPAIGNS), medium],
    }
    named = ", ".join(f"{text_list(values)}[campaign + 1] AS {n}" for n, values in texts.items())
    connection.register("spend_rows", columns)
    select = f"""
        SELECT
            DATE '{traffic.start}' + "day"::INTEGER AS date, {named}, impressions, clicks,
            "cost"::DECIMAL(18, 2) AS cost, 'USD' AS currency
        FROM spend_rows
    """
    paths = _write_months(connection, folder, "ad_spend", select, "date", "date, source, campaign")
    connection.unregister("spend_rows")
    return paths


def _write_months(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    prefix: str,
    select: str,
    time_column: str,
    order_by: str,
) -> list[Path]:
    month = f"strftime({time_column}, '%Y_%m')"
    query = f"SELECT DISTINCT {month} FROM ({select}) ORDER BY 1"
    paths = []
    for (name,) in connection.execute(query).fetchall():
        path = folder / f"{prefix}_{name}.csv"
        rows = f"SELECT * FROM ({select}) WHERE {month} = '{name}' ORDER BY {order_by}"
        copy_to(connection, rows, path, "csv")
        paths.append(path)
    return paths
