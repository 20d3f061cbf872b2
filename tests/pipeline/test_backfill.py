"""Missed days brought in at once, and everything built anew, against nights one after the other."""

import os
from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.generated import as_history, files_by_night
from pipeline.histories import NIGHTS, hard_history
from pipeline.homes import Home, Workshop, differences

from orchestration import runs
from orchestration.dbt_runner import load_manifest
from orchestration.runs import run_backfill, run_rebuild

VERSION_DATE, VERSION_NIGHT = date(2025, 4, 1), 1
FIRST_DAY = date(2025, 6, 1)
DAYS = [FIRST_DAY + timedelta(night) for night in range(NIGHTS)]
# when rows landed and versions were written has to differ; a row without a time of loading has the
# first of them
OF_THE_CLOCK = ("landed_at", "loaded_at", "known_from", "known_to")


def drop(home: Home, night: int) -> None:
    """The files of one night, with the day of arrival that belongs to it."""
    before = set(files(home))
    for (source, name), rows in files_by_night([as_history(hard_history())])[night].items():
        home.drop(source, name, rows)
    moment = datetime.combine(DAYS[night], datetime.min.time(), UTC) + timedelta(hours=6)
    for path in set(files(home)) - before:
        os.utime(path, (moment.timestamp(), moment.timestamp()))


def files(home: Home) -> list[Path]:
    return [path for path in (home.path / "landing").rglob("*") if path.is_file()]


def rows(home: Home) -> dict[str, Counter[tuple[Any, ...]]]:
    """Of each table and view of the floors its rows, doubles to nine digits: how a sum of them is
    rounded hangs on which thread adds first."""
    found = {}
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb"), read_only=True) as con:
        for name in home.names():
            columns = con.execute(f"describe {name}").fetchall()
            shown = [
                f"printf('%.9e', {column})" if kind in ("DOUBLE", "FLOAT") else column
                for column, kind, *_ in columns
                if column not in OF_THE_CLOCK
            ]
            found[name] = Counter(con.execute(f"select {', '.join(shown)} from {name}").fetchall())
    return found


def unequal(one: Home, other: Home, without: Collection[str] = ()) -> str:
    """What differs but for the clock's columns; empty when nothing does. without: tables."""
    before, after = rows(one), rows(other)
    for name in without:
        del before[name], after[name]
    return "\n".join(differences(before, after))


def workings_of_a_version(home: Home) -> list[str]:
    """The tables on the way to a version. They show what the quarter's last run reckoned with, rows
    that came late included; the version itself is kept as it was."""
    return [
        f"valuation.{node['name']}"
        for node in load_manifest(home.settings)["nodes"].values()
        if "quarterly" in node["tags"]
        and node["resource_type"] == "model"
        and not node["config"]["meta"].get("is_kept")
    ]


@pytest.mark.deep
def test_a_backfill_and_a_rebuild_give_the_tables_of_nights_in_order(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights, backfill = workshop.home("backfill_nights"), workshop.home("backfill_days")
    for night in range(NIGHTS):
        drop(nights, night)
        nights.night()
        if night == VERSION_NIGHT:
            nights.quarter(VERSION_DATE)

    for night in range(NIGHTS):
        drop(backfill, night)
    backfill.take_up()
    run_backfill(backfill.settings, DAYS[0], DAYS[VERSION_NIGHT], report=lambda _: None)
    backfill.quarter(VERSION_DATE)
    backfill.take_up()
    run_backfill(backfill.settings, DAYS[VERSION_NIGHT + 1], DAYS[-1], report=lambda _: None)
    assert unequal(nights, backfill) == ""

    # the versions of all other quarters are no part of the nights
    monkeypatch.setattr(runs, "_today", lambda settings, report: VERSION_DATE)
    monkeypatch.setattr(runs, "_project_start", lambda settings: VERSION_DATE)
    rebuilt = nights.copy("backfill_rebuilt")
    rebuilt.take_up()
    run_rebuild(rebuilt.settings, report=lambda _: None)
    assert unequal(nights, rebuilt, workings_of_a_version(rebuilt)) == ""
