"""The work of a night follows what arrived: rows read and written on top of a short past and of
one twelve times as long, by the same visitors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from pipeline.histories import Row, generic_event
from pipeline.homes import Workshop
from pipeline.work_counted import Work, counted_work

# Of these the whole table is written every night, or more of it the longer the past is.
# A model that follows what arrived must leave the list: it then fails the test.
WRITES_GROW: frozenset[str] = frozenset()
# The same of reading.
READS_GROW: frozenset[str] = frozenset()

DAY = timedelta(days=1)
LAST_DAY = datetime(2025, 6, 1)
SHORT, LONG = 20, 240
# grown: more than half as much again, where the past is twelve times as long
GROWTH, FEW_ROWS = 1.5, 150


def day_of(day: datetime, visitors: int) -> list[Row]:
    """One visit of each visitor."""
    rows = []
    for number in range(visitors):
        start = day + timedelta(hours=8, minutes=number)
        acts = ("page_view", "view_item", "scroll", "add_to_cart", "purchase")[: 2 + number % 4]
        rows += [
            generic_event(
                f"visitor {number}",
                start + timedelta(minutes=step),
                act,
                event_id=f"{day:%j%Y} {number} {step}",
                value="20" if act == "purchase" else None,
                source="newsletter" if number % 3 else None,
                medium="email" if number % 3 else None,
            )
            for step, act in enumerate(acts)
        ]
    return rows


def days_before(day: datetime, last: int, first: int) -> list[Row]:
    """From `first` days before the day until `last` days before it."""
    return [row for ago in range(last, first + 1) for row in day_of(day - ago * DAY, 40)]


@dataclass(frozen=True)
class TwoNights:
    """The same arrivals on top of a short past, and of a long one."""

    short: Mapping[str, Work]
    long: Mapping[str, Work]


@pytest.fixture(scope="module")
def nights(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> TwoNights:
    home = workshop.home("work")
    profiles = tmp_path_factory.mktemp("profiles")
    home.drop("generic", "past", days_before(LAST_DAY, 1, SHORT))
    home.night()
    home.drop("generic", "arrived", day_of(LAST_DAY, 10))
    with counted_work(profiles) as short:
        home.night()
    home.drop("generic", "longer", days_before(LAST_DAY, SHORT + 1, LONG))
    home.night()
    home.drop("generic", "arrived too", day_of(LAST_DAY + DAY, 10))
    with counted_work(profiles) as long:
        home.night()
    return TwoNights(short, long)


def grown(nights: TwoNights, what: str) -> dict[str, tuple[int, int]]:
    """Models whose work grew with the past → before and after."""
    found = {}
    for model, work in nights.long.items():
        before, after = getattr(nights.short[model], what), getattr(work, what)
        if after > GROWTH * before + FEW_ROWS:
            found[model] = (before, after)
    return found


def test_every_model_is_counted(nights: TwoNights) -> None:
    assert nights.short.keys() == nights.long.keys()
    assert nights.long["mart_sessions"].read > 0


def test_rows_written_follow_what_arrived_but_for_the_models_listed(nights: TwoNights) -> None:
    found = grown(nights, "written")
    assert found.keys() == WRITES_GROW, found


def test_rows_read_follow_what_arrived_but_for_the_models_listed(nights: TwoNights) -> None:
    found = grown(nights, "read")
    assert found.keys() == READS_GROW, found
