"""A changed business file reaches the rows that are there already, also where nobody came by.

Belongs here: nights between which only a file of the business changes, and goals that count other
than by order. Does not belong here: what the files may say (test_business_files.py).
"""

import shutil
from pathlib import Path

import pytest
from pipeline.homes import Home, Workshop, differences, differing_tables

from orchestration.settings import PROJECT_ROOT

SHOES = {"source": "google", "medium": "cpc", "campaign": "shoes"}
PODCAST = {"source": "talks", "medium": "audio", "campaign": "sponsor"}
EVERY_PURCHASE = "each_purchase,purchase,event,,80,every,,ecommerce,true\n"


def event(day: int, name: str, **columns: str) -> dict[str, str]:
    return {
        **{
            "event_id": f"{name} {day}",
            "visitor_id": "v",
            "occurred_at": f"2026-03-{day:02} 10:00",
        },
        **{"event_name": name, "order_id": "", "value": "", **SHOES, **columns},
    }


def spend(day: int, **campaign: str) -> dict[str, str]:
    said = {"source": "", "medium": "", **campaign}
    return {"date": f"2026-03-{day:02}", **said, "impressions": "9", "clicks": "3", "cost": "5"}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Business files of a shop that counts every purchase beside every order."""
    folder = tmp_path_factory.mktemp("business") / "seeds"
    folder.mkdir()
    for path in (PROJECT_ROOT / "seeds").glob("*.csv"):
        shutil.copy(path, folder)
    with (folder / "macro_conversions.csv").open("a", encoding="utf-8") as file:
        file.write(EVERY_PURCHASE)
    return folder


@pytest.fixture(scope="module")
def home(workshop: Workshop, seeds: Path) -> Home:
    """Spend on three days of one campaign, with visits on two; an order in two events at once."""
    home = workshop.home("changed_rules", seeds=seeds)
    twice = {"order_id": "T1", "value": "10"}
    home.drop(
        "generic",
        "events",
        [
            *(event(day, "view_item") for day in (2, 4)),
            event(4, "purchase", event_id="one", **twice),
            event(4, "purchase", event_id="two", **twice),
        ],
    )
    by_name = [spend(day, campaign="shoes") for day in (2, 3)]
    home.drop("ad_spend", "spend", [*by_name, spend(4, **SHOES), spend(3, **PODCAST)])
    home.night(data_tests=True)
    return home


def intent_classes(home: Home) -> dict[tuple[str, int], str]:
    rows = home.query(
        "select campaign, day(date) as day, intent_class from marts.mart_daily_values"
        " where cost > 0"
    )
    return {(row["campaign"], row["day"]): row["intent_class"] for row in rows}


def test_a_goal_that_counts_every_event_has_them_all(home: Home) -> None:
    rows = home.query(
        "select macro_conversion, count(*) as rows, sum(value) as value"
        " from marts.mart_macro_conversions group by macro_conversion"
    )
    counted = {row["macro_conversion"]: (row["rows"], row["value"]) for row in rows}
    assert counted == {"purchase": (1, 10), "each_purchase": (2, 20)}


def test_spend_that_names_a_campaign_alone_stands_with_its_sessions(home: Home) -> None:
    rows = home.query(
        "select distinct campaign, channel_group, source from marts.mart_daily_values"
        " where cost > 0"
    )
    assert {tuple(row.values()) for row in rows} == {
        ("shoes", "Paid Search", "google"),
        ("sponsor", "Audio", "talks"),
    }


def test_a_changed_rule_reaches_days_of_spend_without_a_visit(home: Home, seeds: Path) -> None:
    days = [("shoes", 2), ("shoes", 3), ("shoes", 4), ("sponsor", 3)]
    assert intent_classes(home) == {
        day: "generic" if day[0] == "shoes" else "other" for day in days
    }
    rules = seeds / "intent_rules.csv"
    header, *rows = rules.read_text(encoding="utf-8").splitlines()
    new = ["1,,,^shoes$,brand", "2,,,sponsor,social"]
    rules.write_text("\n".join([header, *new, *rows]) + "\n", encoding="utf-8")
    home.night()
    assert intent_classes(home) == {day: "brand" if day[0] == "shoes" else "social" for day in days}


@pytest.mark.deep
def test_behind_changed_rules_a_night_leaves_what_a_full_refresh_leaves(home: Home) -> None:
    refreshed = home.copy("changed_rules_refreshed")
    refreshed.night(full_refresh=True)
    said = differences(*differing_tables(home, refreshed))
    assert not said, "\n".join(said)
