"""The command line of the harness: `python -m bench`.

Belongs here: arguments, which cases are measured, the exit status. Does not belong here: the rest.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

import duckdb

from bench import bars, measure, page, profile, stages
from bench.generate import Size, add_size_arguments, count_of, size_of
from bench.stages import REFERENCES, Case, Machine
from orchestration.errors import IntentMapError, is_interruption
from orchestration.settings import PROJECT_ROOT, load_settings

DIFFERENT, NOT_MET, INTERRUPTED = 1, 2, 130
FAILURES = (stages.ResultsDifferError, measure.RunFailedError, OSError, duckdb.Error)
OWN_PYTHON = PROJECT_ROOT / ".venv" / "bench" / "bin" / "python"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit status: 1 when results differ or a run failed, 2 when a bar is not met."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    parser = _parser()
    arguments = parser.parse_args(argv)
    machine = Machine(arguments.threads, arguments.memory_limit, arguments.python)
    if problem := _problem(arguments, machine):
        parser.error(problem)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if arguments.work is not None:
            arguments.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="intent-map-bench-", dir=arguments.work) as work:
            return _measure(arguments, machine, Path(work))
    except FAILURES as error:
        print(f"error: {error}", file=sys.stderr)
        return DIFFERENT
    except (KeyboardInterrupt, RuntimeError) as error:
        if not isinstance(error, KeyboardInterrupt) and not is_interruption(error):
            raise
        print("interrupted; no page is written", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _problem(arguments: argparse.Namespace, machine: Machine) -> str | None:
    """What would only come out after hours of measuring, in words; None when nothing is wrong."""
    page_file: Path | None = arguments.page
    if page_file is not None:
        if page_file.is_dir() or page_file.suffix == ".svg":
            return f"--page is {page_file}; name a file, such as page.md: its plot is page.svg"
        if not page_file.parent.is_dir():
            return f"--page is {page_file}, in a folder that does not exist"
        for file in (page_file, page_file.with_suffix(".svg")):
            if not os.access(file if file.exists() else file.parent, os.W_OK):
                return f"--page is {page_file}, but {file} cannot be written"
    if shutil.which(arguments.python) is None:
        return f"--python is {arguments.python}, which is no interpreter"
    if arguments.threads > measure.cores():
        return f"--threads is {arguments.threads}, but there are {measure.cores()} cores here"
    try:
        load_settings(machine.environment(arguments.work))
    except IntentMapError as error:
        said = str(error).replace("INTENT_MAP_MEMORY_LIMIT", "--memory-limit")
        return said.replace("INTENT_MAP_HOME", "--work")
    return None


def _measure(arguments: argparse.Namespace, machine: Machine, work: Path) -> int:
    size = size_of(arguments)
    main_case = Case("main", size, machine)
    profiles: list[profile.ModelProfile] = []

    def profiled(home: Path) -> None:
        print("  profiling each model's query")
        profiles[:] = profile.profile_home(home, machine.threads, machine.memory_limit)

    stages.measure_case(
        main_case,
        work,
        rounds=arguments.rounds,
        references=arguments.references,
        pandas_limit=arguments.pandas_limit,
        profile=None if arguments.no_profile else profiled,
    )
    cases, failed_case, failure = [main_case], None, None
    for name, measured in _later(arguments, size, machine, work):
        try:
            cases += measured()
        except FAILURES as error:
            # what was measured before, in hours maybe, is not lost with it
            failed_case, failure = name, error
            break

    verdicts = bars.verdicts(cases)
    print()
    print(page.bars_table(verdicts))
    if profiles:
        print(profile.in_words(profiles))
    if arguments.page:
        page.write(arguments.page, cases, verdicts, _described(machine), profiles, failed_case)
        print(f"Written: {arguments.page} and {arguments.page.with_suffix('.svg').name}")
    if failure:
        print(f"error: {failed_case}: {failure}", file=sys.stderr)
        return DIFFERENT
    failed = [v for v in verdicts if v.state == bars.NOT_MET and v.is_at_size]
    return NOT_MET if failed else 0


def _later(
    arguments: argparse.Namespace, size: Size, machine: Machine, work: Path
) -> list[tuple[str, Callable[[], Sequence[Case]]]]:
    """What is asked for besides the main case, in order: its name, and what measures it."""
    later: list[tuple[str, Callable[[], Sequence[Case]]]] = []
    if arguments.history:
        nights = partial(stages.measure_nights, _histories(size, machine), work, nights=3)
        later.append(("history", nights))
    if arguments.scale:
        for name, events, limit in (
            ("scale_small", 5_000_000, "4GiB"),
            ("scale_large", 50_000_000, "4GiB"),
            # the bar is 8 GiB for the whole process, so DuckDB's own limit is lower
            ("scale_huge", 100_000_000, "6.5GiB"),
        ):
            case = Case(name, replace(size, events=events, nights=0), _limited(machine, limit))
            # the references that cannot bear the large sizes are measured at the small one
            references = arguments.references if name == "scale_small" else ("duckdb",)
            later.append((name, partial(_full, case, work, references, arguments.pandas_limit)))
    return later


def _full(case: Case, work: Path, references: Sequence[str], pandas_limit: int) -> Sequence[Case]:
    return [stages.measure_full(case, work, references, pandas_limit)]


def _histories(size: Size, machine: Machine) -> list[Case]:
    """The same events a day, over 30 days and over 360."""
    a_day = size.events / size.days
    return [
        Case(name, replace(size, events=round(a_day * days), days=days, nights=3), machine)
        for name, days in (("history_short", 30), ("history_long", 360))
    ]


def _limited(machine: Machine, limit: str) -> Machine:
    return replace(machine, memory_limit=limit)


def _described(machine: Machine) -> dict[str, str]:
    """The machine, with the versions of the references' packages."""
    found = {name: stages.package_version(machine.python, name) for name in stages.NEEDS.values()}
    return measure.machine() | {name: known for name, known in found.items() if known}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What a full refresh, a night, a quarter and publishing cost.",
    )
    add_size_arguments(parser, most_nights=1)
    parser.add_argument("--rounds", type=count_of(1), default=2, help="times that all is run (2)")
    parser.add_argument(
        "--threads",
        type=count_of(1),
        default=min(2, measure.cores()),
        help="cores for every process (2, where there are)",
    )
    parser.add_argument(
        "--memory-limit", default="80%", help="DuckDB's, in every process (80%%), such as 4GiB"
    )
    parser.add_argument(
        "--references",
        nargs="*",
        choices=REFERENCES,
        default=REFERENCES,
        help="which references are measured (all)",
    )
    parser.add_argument(
        "--pandas-limit", type=count_of(0), default=5_000_000, help="most events for pandas (5m)"
    )
    parser.add_argument("--history", action="store_true", help="nights on 360 days and on 30")
    parser.add_argument(
        "--scale", action="store_true", help="5, 50 and 100 million events with little memory"
    )
    parser.add_argument("--no-profile", action="store_true", help="leave the profile out")
    parser.add_argument("--page", type=Path, help="write the page here, its plot beside it")
    parser.add_argument("--work", type=Path, help="where files and homes go (a temporary folder)")
    parser.add_argument(
        "--python",
        default=str(OWN_PYTHON if OWN_PYTHON.exists() else sys.executable),
        help="interpreter with polars and pandas (.venv/bench, else this one)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
