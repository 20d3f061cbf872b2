"""The command line of the harness: `python -m bench`.

Belongs here: arguments, which cases are measured, the exit status. Does not belong here: the rest.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import bars, measure, page, profile, stages
from bench.generate import Size, add_size_arguments, size_of
from bench.stages import REFERENCES, Case, Machine
from orchestration.settings import PROJECT_ROOT

DIFFERENT, NOT_MET = 1, 2
OWN_PYTHON = PROJECT_ROOT / ".venv" / "bench" / "bin" / "python"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit status: 1 when results differ or a run failed, 2 when a bar is not met."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    arguments = _parser().parse_args(argv)
    machine = Machine(arguments.threads, arguments.memory_limit, arguments.python)
    if arguments.work is not None:
        Path(arguments.work).mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="intent-map-bench-", dir=arguments.work) as work:
            return _measure(arguments, machine, Path(work))
    except (stages.ResultsDifferError, measure.RunFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return DIFFERENT


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
    cases = [main_case]
    if arguments.history:
        cases += stages.measure_nights(_histories(size, machine), work, nights=3)
    if arguments.scale:
        for name, events, limit in (
            ("scale_small", 5_000_000, "4GiB"),
            ("scale_large", 50_000_000, "4GiB"),
            # the bar is 8 GiB for the whole process, so DuckDB's own limit is lower
            ("scale_huge", 100_000_000, "6.5GiB"),
        ):
            case = Case(name, replace(size, events=events, nights=0), _limited(machine, limit))
            cases.append(stages.measure_full(case, work))

    verdicts = bars.verdicts(cases)
    print()
    print(page.bars_table(verdicts))
    if profiles:
        print(profile.in_words(profiles))
    if arguments.page:
        page.write(arguments.page, cases, verdicts, _described(machine), profiles)
        print(f"Written: {arguments.page} and {arguments.page.with_suffix('.svg').name}")
    failed = [v for v in verdicts if v.state == bars.NOT_MET and v.is_at_size]
    return NOT_MET if failed else 0


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
    said = measure.machine() | {name: known for name, known in found.items() if known}
    return said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What a full refresh, a night, a quarter and publishing cost.",
    )
    add_size_arguments(parser)
    parser.add_argument("--rounds", type=int, default=2, help="times that all is run (2)")
    parser.add_argument("--threads", type=int, default=2, help="cores for every process (2)")
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
        "--pandas-limit", type=int, default=5_000_000, help="most events for pandas (5000000)"
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
