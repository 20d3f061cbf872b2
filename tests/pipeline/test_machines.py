"""A visit that is judged to be a machine's: what a verdict does to the visits behind it."""

import csv
from pathlib import Path

import pytest
from pipeline.homes import Home, Workshop, differences, differing_tables
from pipeline.shared_nights import business_files


def act(visitor: str, day: str, name: str, second: int = 0, **more: str) -> dict[str, str]:
    at = f"2025-05-{day} 10:00:{second:02}"
    return {"visitor_id": visitor, "occurred_at": at, "event_name": name, **more}


def seeds_of(workshop: Workshop) -> Path:
    """Business files with searched_again, the second search over all visits of a visitor, and by
    which four events in a minute are a machine's."""
    folder = business_files(workshop.folder / "machine_seeds")
    rules = folder / "bot_rules.csv"
    with rules.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with rules.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {**row, "threshold": "3"} if row["rule"] == "events_per_minute" else row for row in rows
        )
    return folder


def searched_again(home: Home) -> list[str]:
    """Days of the visits of people that searched for the second time or more."""
    rows = home.query(
        "select strftime(session_date, '%d') as day from marts.mart_micro_conversions "
        "inner join marts.mart_sessions using (session_key) "
        "where micro_conversion = 'searched_again' order by day"
    )
    return [row["day"] for row in rows]


@pytest.fixture(scope="module")
def nights(workshop: Workshop) -> dict[str, list[str]]:
    """What stood after each night, and how the last one differs from a full refresh."""
    home = workshop.home("machines", seeds=seeds_of(workshop))
    home.drop(
        "generic",
        "buyer",
        [
            *(act("v", "05", "search", second) for second in range(4)),
            act("v", "05", "purchase", 9, order_id="M1", value="10"),
            act("v", "06", "search"),
        ],
    )
    home.night()
    said = {"bought": searched_again(home)}
    # the order is another visitor's, so who was fast is no buyer any more; v brings nothing new
    home.drop("generic", "earlier", [act("w", "04", "purchase", order_id="M1", value="10")])
    home.night()
    said["a machine"] = searched_again(home)
    refreshed = home.copy("machines_refreshed")
    refreshed.night(full_refresh=True)
    said["differences"] = differences(*differing_tables(home, refreshed))
    home.drop("generic", "person", [act("v", "07", "search")])
    home.night()
    said["a person"] = searched_again(home)
    return said


def test_events_of_a_machine_make_no_micro_conversion_of_a_person_full(nights) -> None:
    assert nights["bought"] == ["05", "06"]
    assert nights["a machine"] == []
    assert nights["a person"] == ["07"]


def test_a_verdict_that_changes_reaches_later_visits_as_in_a_full_refresh(nights) -> None:
    assert not nights["differences"], "\n".join(nights["differences"])
