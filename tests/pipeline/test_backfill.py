"""Missed days brought in at once, and everything built anew, against nights one after the other."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pipeline.generated import as_history, files_by_night
from pipeline.histories import NIGHTS, hard_history
from pipeline.homes import Home, Workshop, differences, differing_tables

from orchestration import runs
from orchestration.runs import run_backfill, run_rebuild

VERSION_DATE, VERSION_NIGHT = date(2025, 4, 1), 1
FIRST_DAY = date(2025, 6, 1)
DAYS = [FIRST_DAY + timedelta(night) for night in range(NIGHTS)]
# when rows landed and versions were written is the one thing that has to differ
OF_THE_CLOCK = ("landed_at",)


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


def without_clock(home: Home) -> dict[str, tuple[int, int]]:
    return home.fingerprints(without=OF_THE_CLOCK)


def unequal(one: Home, other: Home) -> str:
    """What differs but for the clock's columns; empty when nothing does."""
    prints, others = without_clock(one), without_clock(other)
    names = [n for n in prints.keys() | others.keys() if prints.get(n) != others.get(n)]
    said = differences(*differing_tables(one, other)) if names else []
    return "\n".join([*names, *said])


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
    assert unequal(nights, rebuilt) == ""
