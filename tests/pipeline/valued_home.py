"""The valued home: a small shop, a value version, and the weeks in which the version is in force.

Belongs here: building it, and what the tests of values and versions know of it.
"""

from dataclasses import dataclass
from datetime import date, datetime, time

from pipeline.histories import Row, orders_of, shop_history
from pipeline.homes import Home, Tables, Workshop

VERSION_DATE = date(2025, 4, 1)
VERSION_MOMENT = datetime.combine(VERSION_DATE, time())
VERSION = "2025-Q2"


@dataclass(frozen=True)
class ValuedHome:
    """home: with the version and the weeks behind it. before: the marts without any version.
    written: the valuation as it wrote the version. earlier, later: rows before its date and from
    it on; the version was written before the later ones came. orders, restated: what the orders
    before its date came to then, and what a file that came later makes of them."""

    home: Home
    before: Tables
    written: Tables
    earlier: list[Row]
    later: list[Row]
    orders: list[Row]
    restated: list[Row]

    def written_again(self, name: str) -> Home:
        """A copy after its version was asked for once more, over all rows anew."""
        home = self.home.copy(name)
        home.night(full_refresh=True)
        home.quarter(VERSION_DATE, full_refresh=True)
        return home


def build_valued_home(workshop: Workshop) -> ValuedHome:
    rows = shop_history(VERSION_MOMENT)
    earlier = [row for row in rows if row["occurred_at"] < str(VERSION_MOMENT)]
    later = [row for row in rows if row["occurred_at"] >= str(VERSION_MOMENT)]
    orders, restated = orders_of(earlier, 1.1), orders_of(earlier, 0.8)
    home = workshop.home("valued")
    home.drop("generic", "earlier", earlier)
    home.drop("orders", "orders", orders)
    home.night()
    before = home.tables(["marts"])
    home.quarter(VERSION_DATE)
    written = home.tables(["valuation"])
    home.drop("generic", "later", later)
    home.drop("orders", "restated", restated)
    home.night()
    return ValuedHome(home, before, written, earlier, later, orders, restated)
