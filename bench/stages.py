"""What is measured: the project's commands and the references, on the same files, in turn.

Belongs here: the commands, their environment, the order of a run, and the comparison of every
result with the others. Does not belong here: limits (bars.py), the page (page.py).
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bench import measure
from bench.generate import Size, generate
from bench.measure import Cost
from bench.references import core, core_duckdb, project
from orchestration import dbt_runner
from orchestration.settings import PROJECT_ROOT, load_settings

# in the order of the page; the letters are those of the page too
STAGES = {
    "full": "(a) full refresh: raw files to published marts, with tests",
    "night": "(b) one night on top",
    "quarter": "(c) one quarterly recalculation",
    "publish": "(d) publish",
    "empty": "(e) a night with nothing new",
    "empty_dbt": "(e) a night with nothing new, dbt alone",
    "duckdb": "(f) reference: the core in DuckDB",
    "polars": "(g) reference: the core in Polars",
    "pandas": "(h) reference: the core in pandas",
    "scan": "(i) reference: a plain scan of the columns",
}
REFERENCES = ("duckdb", "polars", "pandas", "scan")
# packages of a reference that the project does not have itself
NEEDS = {"polars": "polars", "pandas": "pandas"}
# hooks end with OK too, but create nothing
NODE = re.compile(
    r"\d+ of \d+ (?:OK (?:created|loaded)|PASS|WARN \d+)(.*?) \.*\s*\[.* in ([\d.]+)s\]"
)
STEP = re.compile(r"^(\w+) done in ([\d.]+) s$", re.MULTILINE)
DBT = "import sys; from dbt.cli.main import cli; sys.argv[0] = 'dbt'; cli()"
GIGABYTE = 10**9

Report = Callable[[str], None]


class ResultsDifferError(Exception):
    """Two ways of computing the core did not come to the same."""


@dataclass(frozen=True)
class Machine:
    """What every measured process gets. python: the interpreter with the references' packages."""

    threads: int = 2
    memory_limit: str = "80%"
    python: str = sys.executable

    def environment(self, home: Path | None = None) -> dict[str, str]:
        # settings of whoever calls must not reach the figures
        env = {key: value for key, value in os.environ.items() if not key.startswith("INTENT_MAP_")}
        env |= {
            "PYTHONPATH": str(PROJECT_ROOT),
            "POLARS_MAX_THREADS": str(self.threads),
            "OMP_NUM_THREADS": str(self.threads),
            "INTENT_MAP_THREADS": str(self.threads),
            "INTENT_MAP_MEMORY_LIMIT": self.memory_limit,
        }
        return env | ({"INTENT_MAP_HOME": str(home)} if home else {})


@dataclass
class Case:
    """One size and what was measured on it: stage → the cost of each round."""

    name: str
    size: Size
    machine: Machine
    raw_rows: int = 0
    night_rows: int = 0
    landed_bytes: int = 0
    warehouse_bytes: int = 0
    serving_bytes: int = 0
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    # step of the full refresh → seconds, one list entry a round
    steps: dict[str, list[float]] = field(default_factory=dict)
    # node of the full refresh's dbt run → seconds, as dbt itself says
    nodes: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, stage: str, cost: Cost) -> Cost:
        self.costs.setdefault(stage, []).append(cost)
        return cost


def measure_case(
    case: Case,
    work: Path,
    rounds: int = 2,
    references: Sequence[str] = REFERENCES,
    pandas_limit: int = 5_000_000,
    report: Report = print,
    profile: Callable[[Path], None] | None = None,
) -> Case:
    """Measure all stages of a case, `rounds` times in turn, and compare what they come to.

    profile is called with the home of the last round, right after its full refresh. Raises
    ResultsDifferError and measure.RunFailedError. The folders below work are removed at the end.
    """
    wanted = _possible(case, references, pandas_limit)
    for note in case.notes:
        report(f"{case.name}: {note}")
    with _folder(work / case.name) as folder:
        data = folder / "data"
        report(f"{case.name}: writing {case.size.events:,} events over {case.size.days} days")
        written = generate(case.size, data, threads=case.machine.threads)
        case.raw_rows, case.landed_bytes = written.rows, written.bytes
        for number in range(rounds):
            last = number == rounds - 1
            home = folder / "home"
            _drop(data / "base", home)
            report(f"{case.name}: round {number + 1} of {rounds}")
            _full(case, home, report)
            results = _results(case, wanted, data / "base", folder, report)
            limits = case.machine.threads, case.machine.memory_limit
            results["the project"] = project.compute(home, *limits)
            compare(results)
            if profile and last:
                profile(home)
            # before the quarter: its version makes every later night value more
            _timed(case, "empty", home, ["nightly"], report)
            _empty_dbt(case, home, report)
            if case.size.nights:
                _night(case, 1, data, home, report)
                check_night(data, home, 1, case.machine)
                quarter = case.size.last_day + timedelta(days=1)
                _timed(case, "quarter", home, ["quarterly", "--as-of", str(quarter)], report)
            _timed(case, "publish", home, ["publish"], report)
            shutil.rmtree(home)
    return case


def measure_nights(
    cases: Sequence[Case], work: Path, nights: int, report: Report = print
) -> Sequence[Case]:
    """A full refresh of each case, then nights in turn: how a night follows the history."""
    with _folder(work / "history") as folder:
        homes = {}
        for case in cases:
            data = folder / case.name / "data"
            report(f"{case.name}: writing {case.size.events:,} events over {case.size.days} days")
            written = generate(case.size, data, threads=case.machine.threads)
            case.raw_rows, case.landed_bytes = written.rows, written.bytes
            homes[case.name] = folder / case.name / "home"
            _drop(data / "base", homes[case.name])
            _full(case, homes[case.name], report)
        for night in range(1, nights + 1):
            for case in cases:
                home, data = homes[case.name], folder / case.name / "data"
                _night(case, night, data, home, report)
                _timed(case, "empty", home, ["nightly"], report)
        for case in cases:
            check_night(folder / case.name / "data", homes[case.name], nights, case.machine)
    return cases


def measure_full(
    case: Case,
    work: Path,
    references: Sequence[str] = ("duckdb",),
    pandas_limit: int = 5_000_000,
    report: Report = print,
) -> Case:
    """Only the full refresh, such as with little memory; compared with the references."""
    wanted = _possible(case, references, pandas_limit)
    for note in case.notes:
        report(f"{case.name}: {note}")
    with _folder(work / case.name) as folder:
        report(f"{case.name}: writing {case.size.events:,} events over {case.size.days} days")
        written = generate(case.size, folder / "data", threads=case.machine.threads)
        case.raw_rows, case.landed_bytes = written.rows, written.bytes
        _drop(folder / "data" / "base", folder / "home")
        _full(case, folder / "home", report)
        results = _results(case, wanted, folder / "data" / "base", folder, report)
        limits = case.machine.threads, case.machine.memory_limit
        results["the project"] = project.compute(folder / "home", *limits)
        compare(results)
    return case


def compare(results: dict[str, core.Core]) -> None:
    """Raise ResultsDifferError unless all results are the same, number for number."""
    (first, expected), *others = results.items()
    said = []
    for name, result in others:
        said += [f"{first} against {name}: {line}" for line in core.differences(expected, result)]
    if said:
        raise ResultsDifferError("The same core came out differently:\n" + "\n".join(said))


def check_night(data: Path, home: Path, nights: int, machine: Machine) -> None:
    """After nights on top, the home must hold what all the files together come to."""
    together = data / "together"
    for part in ("base", *(f"night_{night}" for night in range(1, nights + 1))):
        _link(data / part / "generic", together / "generic")
    limits = machine.threads, machine.memory_limit
    expected = core_duckdb.compute(together, *limits)
    shutil.rmtree(together)
    found = project.compute(home, *limits)
    compare({"all files at once": expected, f"{nights} nights on top": found})


def _possible(case: Case, references: Sequence[str], pandas_limit: int) -> list[str]:
    possible = []
    # one that is named twice would be measured twice in a round
    for name in dict.fromkeys(references):
        if name == "pandas" and case.size.events > pandas_limit:
            case.notes.append(f"pandas is measured up to {pandas_limit:,} events only.")
        elif name in NEEDS and not has_package(case.machine.python, NEEDS[name]):
            case.notes.append(f"{name} is not installed, so its reference is not measured.")
        else:
            possible.append(name)
    if set(possible) <= {"scan"}:
        case.notes.append("No reference that computes the core is measured on the full refresh.")
    return possible


def has_package(python: str, package: str) -> bool:
    """Whether that interpreter is there and can import the package."""
    return package_version(python, package) is not None


def package_version(python: str, package: str) -> str | None:
    """The version that an interpreter imports, None when it cannot."""
    code = f"import {package}; print({package}.__version__)"
    try:
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _full(case: Case, home: Path, report: Report) -> None:
    cost = _timed(case, "full", home, ["nightly"], report)
    steps = {name: float(seconds) for name, seconds in STEP.findall(cost.output)}
    steps["start-up and the rest"] = max(0.0, cost.seconds - sum(steps.values()))
    for name, seconds in steps.items():
        case.steps.setdefault(name, []).append(seconds)
    case.nodes = node_seconds(home)
    case.warehouse_bytes = measure.bytes_below(home / "warehouse")
    case.serving_bytes = measure.bytes_below(home / "serving")


def node_seconds(home: Path) -> dict[str, float]:
    """Seconds of each node of the home's only dbt build, by dbt's log: "model x", "test x" …"""
    log = (home / "dbt" / "logs" / "dbt.log").read_text(encoding="utf-8", errors="replace")
    seconds: dict[str, float] = {}
    for said, took in NODE.findall(log):
        # "sql table model intermediate.int_events" and the bare name of a test
        words = said.split()
        kind = next((word for word in words if word in ("model", "seed")), "test")
        name = f"{kind} {words[-1].split('.')[-1]}"
        seconds[name] = seconds.get(name, 0.0) + float(took)
    return seconds


def _night(case: Case, night: int, data: Path, home: Path, report: Report) -> None:
    part = data / f"night_{night}"
    _drop(part, home)
    cost = _timed(case, "night", home, ["nightly"], report)
    landed = re.search(r"generic: .* landed, ([\d,]+) rows", cost.output)
    case.night_rows = int(landed.group(1).replace(",", "")) if landed else 0


def _timed(case: Case, stage: str, home: Path, command: Sequence[str], report: Report) -> Cost:
    machine = case.machine
    cost = measure.run(
        [sys.executable, "-m", "orchestration", *command],
        PROJECT_ROOT,
        machine.environment(home),
        machine.threads,
    )
    return _said(case, stage, cost, report)


def _empty_dbt(case: Case, home: Path, report: Report) -> None:
    """What dbt alone takes: seeds, nightly models and data tests, as a night does them."""
    env = case.machine.environment(home)
    settings = load_settings(env)
    args = dbt_runner.nightly_args(settings)
    env |= dbt_runner.environment(settings)
    command = [sys.executable, "-c", DBT, *args]
    cost = measure.run(command, PROJECT_ROOT, env, case.machine.threads)
    _said(case, "empty_dbt", cost, report)


def _results(
    case: Case, names: Sequence[str], part: Path, folder: Path, report: Report
) -> dict[str, core.Core]:
    """Measure the references in turn; what those that compute the core came to."""
    measured = {name: _reference(case, name, part, folder, report) for name in names}
    return {name: result for name, result in measured.items() if result is not None}


def _reference(case: Case, name: str, part: Path, folder: Path, report: Report) -> core.Core | None:
    """Measure one reference; what it came to, None for the scan."""
    machine = case.machine
    own = name in ("duckdb", "scan")
    module = "scan" if name == "scan" else f"core_{name}"
    command = [sys.executable if own else machine.python, "-m", f"bench.references.{module}"]
    command.append(str(part))
    result = folder / f"{name}.json"
    if name != "scan":
        command.append(str(result))
    if own:
        command += ["--threads", str(machine.threads), "--memory-limit", machine.memory_limit]
    cost = measure.run(command, PROJECT_ROOT, machine.environment(), machine.threads)
    _said(case, name, cost, report)
    return None if name == "scan" else core.read(result)


def _said(case: Case, stage: str, cost: Cost, report: Report) -> Cost:
    report(
        f"  {STAGES[stage]}: {cost.seconds:.1f} s, processor {cost.cpu_seconds:.1f} s, "
        f"memory {cost.memory_bytes / GIGABYTE:.2f} GB"
    )
    return case.add(stage, cost)


def _drop(part: Path, home: Path) -> None:
    for source in ("generic", "ad_spend"):
        _link(part / source, home / "landing" / source)


def _link(source: Path, target: Path) -> None:
    """The files of one folder in another, without a second copy where the disk allows it."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.iterdir()):
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copyfile(file, target / file.name)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards: the files of large sizes fill a disk."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
