"""Many generated histories through the nights of one home, and which of them came out wrong.

Belongs here: a batch's nights, its full refresh, whose rows differ. Does not belong here: drawing
histories (generated.py), what is asserted (the tests).
"""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.generated import (
    History,
    Policy,
    files_by_night,
    in_one_load,
    named,
    shrunk,
    told,
)
from pipeline.histories import NIGHTS
from pipeline.homes import Home, Tables, Workshop, differences, differing_tables
from pipeline.sessions_reckoned import Reckoned, reckon

from orchestration.settings import PROJECT_ROOT

VERSION_DATE, VERSION_NIGHT = date(2025, 4, 1), 1
NAME = re.compile(r"h\d{5}:")


@dataclass(frozen=True)
class Setting:
    """Under which policy a batch runs. killed: night → how many nodes are built when it is killed,
    once for each number; nights in abandoned are not run again, the next one finds what is left."""

    name: str
    dbt_vars: Mapping[str, Any] = field(default_factory=dict)
    killed: Mapping[int, Sequence[int]] = field(default_factory=dict)
    abandoned: Collection[int] = ()

    @property
    def policy(self) -> Policy:
        return Policy(
            timedelta(minutes=self.dbt_vars.get("session_timeout_minutes", 30)),
            timedelta(hours=self.dbt_vars.get("session_maximum_hours", 24)),
            self.dbt_vars.get("reporting_time_zone", "UTC"),
        )


def business_files(folder: Path) -> Path:
    """The shipped business files with what they leave open: an occurrence counted over all visits
    of a visitor, one that counts every time, and a currency whose rate changes."""
    if folder.is_dir():
        return folder
    shutil.copytree(PROJECT_ROOT / "seeds", folder, ignore=shutil.ignore_patterns("*.yml"))
    micro_conversions = folder / "micro_conversions.csv"
    with micro_conversions.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    like = next(row for row in rows if row["micro_conversion"] == "site_searched")
    scoped = {"min_occurrences": "2", "occurrence_scope": "visitor"}
    rows += [
        {**like, **scoped, "micro_conversion": "searched_again"},
        {**like, "micro_conversion": "pages_seen", "event_name": "page_view", "counting": "every"},
    ]
    with micro_conversions.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    rates = "currency,date,rate\nEUR,2015-01-01,1.1\nEUR,2025-03-10,1.2\nEUR,2025-05-06,1.25\n"
    (folder / "currency_rates.csv").write_text(rates, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class SharedNights:
    """One batch of histories under one setting; as_it_is: one more that keeps its own names."""

    workshop: Workshop
    setting: Setting
    batch: Sequence[History]
    name: str
    as_it_is: History = ()

    @property
    def all(self) -> list[History]:
        return [self.as_it_is, *named(self.batch).values()]

    def home(self, of: str) -> Home:
        seeds = business_files(self.workshop.folder / "promise_seeds")
        return self.workshop.home(f"{self.name}_{of}", self.setting.dbt_vars, seeds)

    def night_after_night(self) -> Home:
        home = self.home("nights")
        for night in range(NIGHTS):
            self.run_night(home, night)
        return home

    def run_night(self, home: Home, night: int) -> None:
        """One of the nights, with the killed runs that belong to it."""
        files = files_by_night(self.all)
        for (source, name), rows in files[night].items():
            home.drop(source, name, rows)
        if night == NIGHTS - 1:
            # the same files once more, under another name and behind all others
            for (source, name), rows in files[0].items():
                home.drop(source, f"{name}_again", rows)
        for nodes in self.setting.killed.get(night, ()):
            home.killed_night(nodes)
        if night not in self.setting.abandoned:
            home.night()
        if night == VERSION_NIGHT:
            # before the refresh too: the promise is one under the same value versions
            home.quarter(VERSION_DATE)

    def refreshed(self, home: Home) -> Home:
        """A full refresh of what landed in the nights."""
        copy = home.copy(f"{self.name}_refreshed")
        copy.night(full_refresh=True)
        return copy

    def in_one_night(self) -> Home:
        home = self.home("one_night")
        for (source, name), rows in in_one_load(self.all, len(self.batch)).items():
            home.drop(source, name, rows)
        home.night()
        return home

    def reckoned(self) -> Reckoned:
        return reckon(self.all, self.setting.policy)


def whose(home: Home, tables: Sequence[Tables]) -> list[int]:
    """Numbers of the histories whose rows differ between the two states of tables."""
    before, after = tables
    names: dict[int, str] = {}
    for row in home.query("select * from intermediate.int_sessions"):
        found = NAME.match(row["visitor_id"])
        for cell in row.values():
            if found and isinstance(cell, int) and cell > 1_000_000:
                names[cell] = found.group()
    wrong: set[str] = set()
    for table in before.keys() | after.keys():
        ours, theirs = before.get(table, Counter()), after.get(table, Counter())
        for row in (ours - theirs) + (theirs - ours):
            wrong.update(NAME.findall(repr(row)))
            wrong.update(names[cell] for cell in row if isinstance(cell, int) and cell in names)
    return sorted(int(name[1:-1]) for name in wrong)


def broken_promises(shared: SharedNights, home: Home, refreshed: Home) -> str:
    """Empty when the nights left what the refresh left; else the smallest history that shows it."""
    unequal = differing_tables(home, refreshed)
    said = differences(*unequal)
    if not said:
        return ""
    wrong = whose(home, unequal)
    lines = [f"{shared.setting}: {len(wrong)} of {len(shared.batch)} histories differ", *said]
    if wrong:
        tries = 0

        def failing(batch: list[History]) -> list[int]:
            nonlocal tries
            tries += 1
            again = SharedNights(shared.workshop, shared.setting, batch, f"{shared.name}_{tries}")
            home = again.night_after_night()
            refreshed = again.refreshed(home)
            found = whose(home, differing_tables(home, refreshed))
            for done in (home, refreshed):
                shutil.rmtree(done.path)
            return found

        smallest = shrunk(min((shared.batch[number] for number in wrong), key=len), failing)
        lines += ["the smallest history found that differs:", told(smallest)]
    return "\n".join(lines)
