"""Google's sample of a GA4 export through the real nightly: every row is accounted for.

What to expect is counted here from the file itself, in plain Python.
"""

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from real_data_page import counts, documented_counts

ROWS = 24_219
NO_ORDER_ID = (None, "(not set)")
# different order numbers in the record or, where it has none, in the event's parameters; purchases
# that have a number in neither
NUMBERS, WITHOUT_NUMBER = 569, 49


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "ga4_sample" / "ga4_events.parquet"


@pytest.fixture(scope="module")
def home(workshop: Workshop, file: Path) -> Home:
    home = workshop.home("ga4")
    shutil.copy(file, home.landing("ga4") / file.name)
    home.night()
    return home


@pytest.fixture(scope="module")
def orders(file: Path) -> dict[object, tuple[int, Decimal]]:
    """Order → time and money of its first purchase; one without an id is an order of its own."""
    with duckdb.connect() as connection:
        cursor = connection.execute(
            "select stream_id, user_pseudo_id, event_timestamp, event_bundle_sequence_id, "
            "to_json(event_params) as params, ecommerce.transaction_id as order_id, "
            f"ecommerce.purchase_revenue as revenue from '{file}' where event_name = 'purchase'"
        )
        names = [column[0] for column in cursor.description]
        purchases = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    orders: dict[object, tuple[int, Decimal]] = {}
    for purchase in sorted(purchases, key=lambda row: row["event_timestamp"]):
        params = {param["key"]: value_of(param) for param in json.loads(purchase["params"])}
        given = (purchase["order_id"], params.get("transaction_id"))
        order_id = next((str(number) for number in given if number not in NO_ORDER_ID), None)
        own = (*(purchase[name] for name in names[:4]), json.dumps(params, sort_keys=True))
        revenue = purchase["revenue"]
        paid = Decimal(str(params.get("value") or 0) if revenue is None else str(revenue))
        orders.setdefault(
            own if order_id is None else order_id, (purchase["event_timestamp"], paid)
        )
    return orders


def value_of(param: dict[str, Any]) -> Any:
    kinds = ("string_value", "int_value", "double_value", "float_value")
    given = [param["value"][kind] for kind in kinds if param["value"][kind] is not None]
    return given[0] if given else None


def test_every_row_of_the_sample_is_in_the_receipts(home: Home) -> None:
    (row,) = home.query(
        "select count(*) as receipts, count(*) filter (outcome = 'accepted') as accepted, "
        "(select count(*) from raw.ga4_events) as raw, "
        "(select sum(events) from marts.mart_sessions) as in_sessions "
        "from intermediate.int_event_receipts"
    )
    assert row == {"receipts": ROWS, "accepted": ROWS, "raw": ROWS, "in_sessions": ROWS}


def test_no_purchase_is_lost_to_an_order_id_that_is_not_set(
    home: Home, orders: dict[object, tuple[int, Decimal]]
) -> None:
    real = {order for order in orders if isinstance(order, str)}
    assert len(real) == NUMBERS
    rows = home.query("select order_id, value from marts.mart_macro_conversions")
    assert len(rows) == len(orders) == NUMBERS + WITHOUT_NUMBER
    assert real <= {row["order_id"] for row in rows}
    assert sum(row["value"] for row in rows) == sum(paid for _, paid in orders.values())


def test_each_order_has_the_time_and_the_money_of_its_first_purchase(
    home: Home, orders: dict[object, tuple[int, Decimal]]
) -> None:
    rows = home.query(
        "select epoch_us(occurred_at) as occurred_at, value from marts.mart_macro_conversions"
    )
    assert sorted((row["occurred_at"], row["value"]) for row in rows) == sorted(orders.values())


def test_the_counts_in_the_docs_are_those_of_the_night(home: Home) -> None:
    assert counts(home) == documented_counts("ga4_sample")
