"""The program as a process that can be killed: its steps as they pass, and what must hold after.

Belongs here: a home to run it on, starting, killing and watching a run, the comparison with a run
that nobody disturbed.
Does not belong here: how often and where it is killed (test_killed_program.py).
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from pipeline.histories import shop_history
from pipeline.homes import FLOORS, Home
from pipeline.valued_home import VERSION_DATE, VERSION_MOMENT

from orchestration import dbt_runner
from orchestration.settings import PROJECT_ROOT, Settings

# the times of landing and of writing a version are those of the clock, and so is what follows
OF_THE_CLOCK = (
    *("landed_at", "loaded_at", "landed_date", "built_at", "published_at"),
    *("known_from", "known_to"),
)
# what a file system says of a file is another thing in each copy of a home
OF_THE_FILE_SYSTEM = ("file_mark",)
# their numbers say how often something was noted, which a night that is run again does again, and
# in which order models that ran side by side did
NOTES_OF_CHANGES = ("raw.session_changes", "raw.changes_seen", "raw.tested")
START, END = "start-up", "end"

Prints = Mapping[str, tuple[int, int]]


def environment(home: Path, **others: str) -> dict[str, str]:
    """The machine's, without anything that is meant for another home."""
    ours = {"INTENT_MAP_", "DAGSTER_"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(name.startswith(prefix) for prefix in ours)
    }
    return {**kept, "INTENT_MAP_HOME": str(home), "INTENT_MAP_HASH_KEY": "a key", **others}


@dataclass
class Run:
    """One call of the command line in a process group of its own, and when each step began."""

    home: Path
    command: Sequence[str]
    others: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, float]] = [(START, 0.0)]
        self._moved = threading.Condition()
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration", *self.command],
            cwd=PROJECT_ROOT,
            env=environment(self.home, **self.others),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.endswith(" ...\n") and " " not in line.removesuffix(" ...\n"):
                self._note(line.split()[0])
        self._note(END)

    def _note(self, step: str) -> None:
        with self._moved:
            self.steps.append((step, time.monotonic() - self._began))
            self._moved.notify_all()

    @property
    def has_ended(self) -> bool:
        return self.steps[-1][0] == END

    def wait(self) -> int:
        """The exit status."""
        self.process.wait()
        self._reader.join()
        return self.process.returncode

    def seconds_of_steps(self) -> list[float]:
        """How long each step took, start-up first; of a run that has ended."""
        times = [began for _, began in self.steps]
        return [after - before for before, after in itertools.pairwise(times)]

    def kill(self, step: int, seconds: float) -> bool:
        """Kill the whole process group so long after that step began; False when it had ended."""
        with self._moved:
            self._moved.wait_for(lambda: len(self.steps) > step or self.has_ended, timeout=600)
        time.sleep(seconds)
        killed = self.process.poll() is None
        if killed:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()
        return killed


def put_back(base: Path, home: Path) -> None:
    """Make the home what the base is, under the same path, so that dbt need not parse anew."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(base, home, symlinks=True)


def prints_of(file: Path, schemas: Sequence[str]) -> Prints:
    """Of each table of these schemas the number of rows and the sum of their hashes. Sums of
    doubles hang on the order in which two threads add, so nine digits of them count."""
    left_out = ", ".join(f"'{column}'" for column in (*OF_THE_CLOCK, *OF_THE_FILE_SYSTEM))
    wanted = ", ".join(f"'{schema}'" for schema in schemas)
    with duckdb.connect(str(file), read_only=True) as con:
        columns: dict[str, list[str]] = {}
        for table, column, data_type in con.execute(
            "select table_schema || '.' || table_name, column_name, data_type "
            f"from information_schema.columns where table_schema in ({wanted}) "
            f"and column_name not in ({left_out}) order by all"
        ).fetchall():
            quoted = f'"{column}"'
            compared = f"format('{{:.8e}}', {quoted})" if data_type == "DOUBLE" else quoted
            columns.setdefault(table, []).append(compared)
        return {
            table: con.execute(
                f"select count(*), coalesce(sum(hash({', '.join(compared)})), 0) from {table}"
            ).fetchall()[0]
            for table, compared in columns.items()
        }


def check_served(serving: Path) -> None:
    """Open what is served, as a reader would, and hold it against what it says of itself. Raises
    AssertionError when file, Parquet or manifest is broken."""
    with duckdb.connect(str(serving / "intent_map.duckdb"), read_only=True) as con:
        runs = con.execute("select distinct run_id from marts.publication").fetchall()
        assert len(runs) == 1, runs
        said = dict(
            con.execute("select table_name, row_checksum from marts.publication").fetchall()
        )
        for name, checksum in said.items():
            found = con.execute(
                f"select coalesce(sum(cast(hash(r) as hugeint)), 0) from marts.{name} as r"
            ).fetchall()[0][0]
            assert str(found) == checksum, name
    folder = (serving / "parquet").resolve()
    with duckdb.connect() as con:
        for name, rows in con.execute(
            f"select table_name, row_count from '{folder}/publication.parquet'"
        ).fetchall():
            found = con.execute(f"select count(*) from '{folder}/{name}.parquet'").fetchall()[0][0]
            assert found == rows, name
    json.loads((serving / "manifest.json").read_text(encoding="utf-8"))


def state_of(home: Path) -> Prints:
    """All that a run leaves: every table of the warehouse, and what is served."""
    check_served(home / "serving")
    tables = prints_of(home / "warehouse" / "intent_map.duckdb", ("raw", "seeds", *FLOORS))
    served = prints_of(home / "serving" / "intent_map.duckdb", ("marts",))
    # the publication says when and by which run
    served.pop("marts.publication")
    for name in NOTES_OF_CHANGES:
        tables.pop(name)
    return {
        **tables,
        **{f"served {name}": found for name, found in served.items()},
        **{f"changes that {name} has not seen": (n, 0) for name, n in unseen(home).items()},
        **{f"what of {name} is not tested": (n, 0) for name, n in untested(home).items()},
    }


def unseen(home: Path) -> dict[str, int]:
    """Of each model that follows changed sessions, how many of the notes made below it it has not
    seen: what is left for its next build."""
    settings = Settings(home, PROJECT_ROOT / "seeds")
    # a home that was put back from a backup has none yet
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    manifest = dbt_runner.load_manifest(settings)
    nodes, parents = manifest["nodes"], manifest["parent_map"]
    ids = {node["name"]: one for one, node in nodes.items() if node["resource_type"] == "model"}

    def noting_below(name: str) -> set[str]:
        left, below = [ids[name]], set()
        while left:
            above = {one for one in parents[left.pop()] if one in nodes} - below
            below |= above
            # what comes of a note below a model that notes, that model notes itself
            left += [one for one in above if not nodes[one]["config"]["meta"].get("notes_changes")]
        return {
            nodes[one]["name"] for one in below if nodes[one]["config"]["meta"].get("notes_changes")
        }

    with duckdb.connect(str(home / "warehouse" / "intent_map.duckdb"), read_only=True) as con:
        notes = con.execute("select model, change_number from raw.session_changes").fetchall()
        seen = con.execute("select model, change_number from raw.changes_seen").fetchall()
    return {
        name: sum(number > last and noted in noting_below(name) for noted, number in notes)
        for name, last in seen
    }


def untested(home: Path) -> dict[str, int]:
    """Of each model of which a night tests what it wrote, how many of its notes, or of the loads
    that it took up, are not tested."""
    with duckdb.connect(str(home / "warehouse" / "intent_map.duckdb"), read_only=True) as con:
        return dict(
            con.execute(
                "select model, sum("
                "  (select count(*) from raw.session_changes as notes"
                "   where notes.model = tested.model and tested.source_system is null"
                "     and change_number > last_tested)"
                "  + (select count(*) from raw.loads as loads"
                "   where loads.source = tested.source_system and load_id > last_tested"
                "     and row_count > 0))"
                "from raw.tested as tested group by model"
            ).fetchall()
        )


def unequal(ours: Mapping, theirs: Mapping) -> list[str]:
    """The names under which two states differ."""
    return sorted(name for name in ours.keys() | theirs if ours.get(name) != theirs.get(name))


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nobody kills: its steps with their seconds, tables, served file."""

    steps: list[str]
    seconds: list[float]
    state: Prints


@dataclass(frozen=True)
class Shop:
    """A home with a version behind it and files that wait; base: its copy to begin from."""

    home: Path
    base: Path

    def undisturbed(self, command: tuple[str, ...]) -> Undisturbed:
        put_back(self.base, self.home)
        run = Run(self.home, command)
        assert run.wait() == 0, "\n".join(run.lines)
        return Undisturbed(
            [step for step, _ in run.steps[:-1]],
            run.seconds_of_steps(),
            state_of(self.home),
        )


def build_shop(folder: Path) -> Shop:
    """A shop of a few weeks with the version of VERSION_DATE; the weeks after it wait in files."""
    home = Home(folder / "home", Settings(folder / "home", PROJECT_ROOT / "seeds"))
    rows = sorted(shop_history(VERSION_MOMENT, visitors=150), key=lambda row: row["occurred_at"])
    now = str(VERSION_MOMENT)
    home.drop("generic", "earlier", [row for row in rows if row["occurred_at"] < now])
    first = Run(home.path, ("quarterly", "--as-of", str(VERSION_DATE)))
    assert first.wait() == 0, "\n".join(first.lines)
    later = [row for row in rows if row["occurred_at"] >= now]
    home.drop("generic", "later", later[::2])
    home.drop("generic", "latest", later[1::2])
    home.drop(
        "ad_spend",
        "spend",
        [
            {"date": f"2025-04-{day:02}", "campaign": "brand shoes", "cost": day, "currency": "USD"}
            for day in range(1, 20)
        ],
    )
    base = folder / "base"
    put_back(home.path, base)
    return Shop(home.path, base)
