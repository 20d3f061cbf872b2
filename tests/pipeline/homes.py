"""Homes in a temporary folder: files dropped, nights and quarters run, tables read as rows.

Belongs here: what a test does with a home. Does not belong here: which events there are
(histories.py), what they should come to (the tests).
"""

import contextlib
import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_runner
from orchestration.landing import LandingResult, land
from orchestration.landing.declaration import raw_tables
from orchestration.locking import writer_lock
from orchestration.restatement import Restatement
from orchestration.settings import PROJECT_ROOT, Settings

FLOORS = ("staging", "intermediate", "valuation", "marts")
# data tests take as long as the tables; a night runs them only where they are asked for
TABLES_ONLY = ("--exclude-resource-type", "test")

# table → its rows, each with the number of times it stands there
Tables = dict[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True)
class Workshop:
    """Where homes are made, one after the other.

    All of them are reached by one path, a link to the home at hand, and homes with equal vars share
    dbt's folder: dbt parses the whole project again when a path or a var changes.
    """

    folder: Path

    def home(
        self,
        name: str,
        dbt_vars: Mapping[str, Any] | None = None,
        seeds: Path | None = None,
    ) -> "Home":
        """A fresh home."""
        path = self.folder / name
        path.mkdir()
        settings = Settings(
            home=self.folder / "home",
            seeds=seeds or PROJECT_ROOT / "seeds",
            dbt_vars=dict(dbt_vars or {}),
        )
        rules = json.dumps([str(settings.seeds), settings.dbt_vars], sort_keys=True)
        dbt = self.folder / f"dbt_{hashlib.sha256(rules.encode()).hexdigest()[:8]}"
        dbt.mkdir(exist_ok=True)
        (path / "dbt").symlink_to(dbt)
        return Home(path, settings)


@dataclass(frozen=True)
class Home:
    """One home. path: where it really is; settings: as the program sees it."""

    path: Path
    settings: Settings

    def copy(self, name: str) -> "Home":
        """A second home with all that this one has."""
        path = self.path.parent / name
        shutil.copytree(self.path, path, symlinks=True)
        return Home(path, self.settings)

    def landing(self, source: str) -> Path:
        folder = self.path / "landing" / source
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop(self, source: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows as one file of the source: GA4 as Parquet, the others as CSV."""
        if source == "ga4":
            self._drop_ga4(name, rows)
            return
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (self.landing(source) / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def _drop_ga4(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        declared = raw_tables()["ga4_events"].file_columns
        target = self.landing("ga4") / f"{name}.parquet"
        lines = self.path / f"{name}.jsonl"
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        columns = ", ".join(f"'{column.name}': '{column.data_type}'" for column in declared)
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (select * from read_json('{lines}', format = 'newline_delimited', "
                f"columns = {{{columns}}})) to '{target}'"
            )
        lines.unlink()

    def land(self) -> LandingResult:
        """Land what was dropped, without building anything."""
        self.take_up()
        with writer_lock(self.settings, "a test"):
            return land(self.settings, report=lambda _: None)

    def night(
        self,
        *,
        full_refresh: bool = False,
        select: Sequence[str] | None = None,
        data_tests: bool = False,
    ) -> LandingResult:
        """Land what was dropped and build the nightly tables, or only `select`."""
        landed = self.land()
        args = dbt_runner.nightly_args(self.settings, select, full_refresh)
        self.build(args if data_tests else [*args, *TABLES_ONLY])
        return landed

    def killed_night(self, nodes: int) -> int:
        """A night that ends in the middle of things, when so many nodes have been built; returns
        how many were. What had landed by then stays."""
        self.land()
        args = [*dbt_runner.nightly_args(self.settings), *TABLES_ONLY]
        built = 0
        with contextlib.closing(dbt_runner.run_dbt(self.settings, args)) as events:
            while built < nodes and next(events, None) is not None:
                built += 1
        return built

    def quarter(
        self,
        version_date: date,
        *,
        full_refresh: bool = False,
        restatement: Restatement | None = None,
    ) -> None:
        """Write the value version of that day; the marts follow with the next night."""
        self.take_up()
        args = dbt_runner.quarterly_args(self.settings, version_date, restatement=restatement)
        self.build([*args, *TABLES_ONLY, *(["--full-refresh"] if full_refresh else [])])

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the warehouse as column → value."""
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def tables(self, schemas: Iterable[str] = FLOORS) -> Tables:
        """All rows of all tables and views of the schemas."""
        return self.rows(self.names(schemas))

    def names(self, schemas: Iterable[str] = FLOORS) -> list[str]:
        """All tables and views of the schemas."""
        wanted = ", ".join(f"'{schema}'" for schema in schemas)
        names = self.query(
            "select table_schema || '.' || table_name as name from information_schema.tables "
            f"where table_schema in ({wanted}) order by name"
        )
        return [row["name"] for row in names]

    def rows(self, names: Iterable[str]) -> Tables:
        """All rows of these tables and views."""
        # under its own name, since the views name the database that they were made in
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            return {
                name: Counter(connection.execute(f"select * from {name}").fetchall())
                for name in names
            }

    def fingerprints(
        self, schemas: Iterable[str] = FLOORS, without: Sequence[str] = ("",)
    ) -> dict[str, tuple[int, int]]:
        """Of each table and view of the schemas the number of its rows and the sum of their
        hashes: with these equal, the rows are. without: columns that are left out."""
        names = self.names(schemas)
        left_out = ", ".join(f"'{column}'" for column in without)
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            return {
                name: connection.execute(
                    "select count(*), coalesce(sum(hash(rows)), 0) from "
                    f"(select columns(lambda name: name not in ({left_out})) from {name}) as rows"
                ).fetchall()[0]
                for name in names
            }

    @property
    def _warehouse(self) -> Path:
        return self.path / "warehouse" / self.settings.warehouse.name

    def build(self, args: list[str]) -> None:
        """Run dbt with these arguments."""
        self.take_up()
        # dbt's notes of each step take a twentieth of the time, and nobody reads them here
        for _ in dbt_runner.run_dbt(self.settings, [*args, "--log-level-file", "none"]):
            pass

    def take_up(self) -> None:
        """Let the path that the settings name lead here."""
        link = self.settings.home
        link.unlink(missing_ok=True)
        link.symlink_to(self.path)


def differing_tables(one: Home, other: Home, schemas: Iterable[str] = FLOORS) -> tuple[Tables, ...]:
    """Of two homes the tables that are not equal, with all their rows."""
    prints, others = one.fingerprints(schemas), other.fingerprints(schemas)
    unequal = [
        name for name in prints.keys() | others.keys() if prints.get(name) != others.get(name)
    ]
    return one.rows(prints.keys() & unequal), other.rows(others.keys() & unequal)


def differences(before: Tables, after: Tables, shown: int = 3) -> list[str]:
    """What differs between two states of tables, in words; empty when they are equal."""
    said = [f"{name} is only in one of them" for name in sorted(before.keys() ^ after.keys())]
    for name in sorted(before.keys() & after.keys()):
        gone, come = before[name] - after[name], after[name] - before[name]
        if gone or come:
            said.append(f"{name}: {gone.total()} rows only before, {come.total()} only after")
            said += [f"  before {row}" for row in sorted(gone, key=repr)[:shown]]
            said += [f"  after  {row}" for row in sorted(come, key=repr)[:shown]]
    return said
