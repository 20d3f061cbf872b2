"""The demo: a simulated shop in a home of its own, from raw files to the published values.

Belongs here: which home, which days and quarters, the order of the steps, how long each took, and
the record of the simulated files (simulated.json) that keeps them apart from real ones.
Does not belong here: the shop itself (simulation), the runs (runs.py), the tables that are printed
(report.py).
"""

import dataclasses
import json
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import IntentMapError
from orchestration.quarters import first_day_of_quarter
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.simulated import RECORD, SIMULATED

DAYS = 200
VISITORS = 28_000
SEED = 7
LEAST_DAYS_OF_HISTORY = 28
# a day takes a part of a second to simulate, and reports nothing before its people come
MOST_DAYS = 3_660
# all are drawn in memory: a digit too many is told at once
MOST_VISITORS = 10_000_000
# where a shop's files are made; they come to their place when all are there
UNFINISHED = "simulation.unfinished"
# what a new day's shop replaces, in this order, since marts without a warehouse are a lost one;
# Dagster's and dbt's own folders stay
REPLACED = ("landing", "serving", "warehouse", "simulation_truth")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Shop:
    """Which shop is simulated: the same answers give the same files.

    Raises IntentMapError when there is no such shop.
    """

    end_date: date
    days: int = DAYS
    visitors: int = VISITORS
    seed: int = SEED

    def __post_init__(self) -> None:
        if not 1 <= self.days <= MOST_DAYS:
            raise IntentMapError(f"--days is {self.days}; give 1 to {MOST_DAYS}.")
        if not 1 <= self.visitors <= MOST_VISITORS:
            raise IntentMapError(f"--visitors is {self.visitors}; give 1 to {MOST_VISITORS:,}.")
        if self.seed < 0:
            raise IntentMapError(f"--seed is {self.seed}; give 0 or more.")

    @property
    def first_date(self) -> date:
        return self.end_date - timedelta(days=self.days - 1)

    def as_record(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"end_date": self.end_date.isoformat()}


@dataclass(frozen=True)
class Record:
    """What a home holds of a simulated shop. files: by their path in the landing folder.

    is_finished: false while its files come in, when those of the shop before may be there too.
    """

    shop: dict[str, Any]
    files: list[str]
    is_finished: bool = True


@dataclass
class Clock:
    """How long each part took, in seconds."""

    report: Report
    parts: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.report(f"--- {name}")
        yield
        self.parts.append((name, time.monotonic() - started))
        self.report(f"    {self.parts[-1][1]:.0f} s")
        self.report("")


def demo_settings(settings: Settings, named_home: str | None) -> Settings:
    """The settings with the demo's own home, unless the environment names one."""
    if named_home:
        return settings
    return dataclasses.replace(settings, home=PROJECT_ROOT / "home" / "demo")


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def run_demo(settings: Settings, shop: Shop, report: Report = print) -> None:
    """Simulate, land, build, value, publish, and print; raises IntentMapError at a real home."""
    # Dagster's storage finds the home by the environment
    os.environ["INTENT_MAP_HOME"] = str(settings.home)
    began = time.monotonic()
    clock = Clock(report)
    report(SIMULATED)
    report("")
    with clock.part("Starting Dagster and dbt"):
        from orchestration.report import print_report, published_places
        from orchestration.runs import run_quarterly
    with clock.part(f"Simulating {shop.days} days up to {shop.end_date}"):
        simulate_shop(settings, shop, shortened(report))
    # a quarterly run lands and refreshes as a night does, so no nightly run is needed besides
    for version_date in version_dates(shop):
        with clock.part(f"Landing, tables, values in force from {version_date}, publishing"):
            run_quarterly(settings, version_date, report=shortened(report))
    print_report(settings, report)
    report("Where it is")
    for line in published_places(settings):
        report(line)
    report("")
    report("What next")
    for line in next_steps(settings):
        report(line)
    report("")
    report("How long it took")
    for name, seconds in [*clock.parts, ("all together", time.monotonic() - began)]:
        report(f"  {seconds:4.0f} s  {name}")
    report("")
    report(SIMULATED)


def simulate_shop(settings: Settings, shop: Shop, report: Report = print) -> None:
    """Bring the shop's files into the home's landing folder, unless they are there already.

    A home with another simulated shop, such as yesterday's, is emptied first. Raises
    IntentMapError when the home holds anything that was not simulated.
    """
    from orchestration.locking import writer_lock
    from orchestration.simulation import simulate

    with writer_lock(settings, what="simulation", report=report):
        record = _read_record(settings)
        _refuse_real_data(settings, record)
        if record is not None and record.shop == shop.as_record() and record.is_finished:
            report("The files of this shop are there already, so nothing is simulated anew.")
            return
        if record is not None:
            report(
                f"The home {settings.home} holds another simulated shop, with data up to "
                f"{record.shop['end_date']}; it is replaced."
            )
        made = settings.home / UNFINISHED
        shutil.rmtree(made, ignore_errors=True)
        simulate(
            made,
            end_date=shop.end_date,
            visitors=shop.visitors,
            days=shop.days,
            seed=shop.seed,
            report=report,
        )
        files = sorted(_files(made / "landing"))
        # while one shop gives place to the other, the files of both are known
        both = sorted({*files, *(record.files if record else ())})
        _write_record(settings, Record(shop.as_record(), both, is_finished=False))
        for name in REPLACED:
            shutil.rmtree(settings.home / name, ignore_errors=True)
        for path in sorted(made.iterdir()):
            path.rename(settings.home / path.name)
        made.rmdir()
        _write_record(settings, Record(shop.as_record(), files))


def version_dates(shop: Shop) -> list[date]:
    """First days of this and the last quarter, as far as 28 days of history come before them."""
    this = first_day_of_quarter(shop.end_date + timedelta(days=1))
    last = first_day_of_quarter(this - timedelta(days=1))
    known = [day for day in (last, this) if (day - shop.first_date).days >= LEAST_DAYS_OF_HISTORY]
    return known or [this]


def next_steps(settings: Settings) -> list[str]:
    """What a person can type after the demo."""
    home = settings.home
    if home.is_relative_to(PROJECT_ROOT):
        home = home.relative_to(PROJECT_ROOT)
    here = f"INTENT_MAP_HOME={shlex.quote(str(home))}"
    return [
        f"  the graph of it all   {here} make dev",
        f"  these tables again    {here} .venv/bin/intent-map report",
        "  your own events       make nightly    (in a home apart; it says where to drop files)",
    ]


def shortened(report: Report) -> Report:
    """Pass lines on, indented; of those that count, such as [7/45], only each tenth and the last.

    On a terminal each of them is shown instead, one over the other.
    """
    is_terminal = report is print and sys.stdout.isatty()

    def pass_on(line: str) -> None:
        counted = re.match(r"\s*\[(\d+)/(\d+)\]", line)
        if is_terminal:
            text = f"    {line}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{text if counted else ''}", end="", flush=True)
        is_mark = counted and (int(counted[1]) % 10 == 0 or counted[1] == counted[2])
        if not counted or (is_mark and not is_terminal):
            report(f"    {line}")

    return pass_on


def _files(folder: Path) -> Iterator[str]:
    """All files below the folder, by their path in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _refuse_real_data(settings: Settings, record: Record | None) -> None:
    """What is in the landing folder and what was landed, also of files that are gone since, must
    have been simulated; without a record nothing was."""
    held = {*_files(settings.landing), *_landed(settings)}
    if record is None:
        held |= {f"{name}/{path}" for name in REPLACED[1:] for path in _files(settings.home / name)}
    foreign = sorted(held - set(record.files if record else ()))
    if foreign:
        raise IntentMapError(
            f"The home '{settings.home}' holds data that was not simulated ({foreign[0]}), and a "
            "simulated shop must not mix with it. Set INTENT_MAP_HOME to an empty folder, or unset "
            "it for the demo's own home."
        )


def _landed(settings: Settings) -> set[str]:
    """The files whose rows are, or were, in the warehouse, by their path in the landing folder."""
    if not settings.warehouse.exists():
        return set()
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            rows = con.execute("select source || '/' || file_name from raw.loads").fetchall()
    except duckdb.CatalogException:
        return set()
    return {name for (name,) in rows}


def _read_record(settings: Settings) -> Record | None:
    path: Path = settings.home / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            dict(record["shop"]), list(record["files"] or ()), record.get("is_finished", True)
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntentMapError(
            f"'{path}' cannot be read, so the simulated files cannot be told from real ones. "
            f"Remove the folder '{settings.home}' if all in it was simulated."
        ) from error


def _write_record(settings: Settings, record: Record) -> None:
    text = json.dumps(dataclasses.asdict(record), indent=1) + "\n"
    part = settings.home / f"{RECORD}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(settings.home / RECORD)
