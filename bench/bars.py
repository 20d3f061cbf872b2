"""The bars: what must be true of the figures, each said to be met, not met or not measured.

Belongs here: the limits and the figures held against them. Does not belong here: measuring.

A ratio is taken round by round, once of processor time and once of wall clock, and the bar is held
against the worse of the two medians; one that says how long a night may take, against wall clock. A
bar that no case of this run measures is said to be not measured; it never counts as met.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.stages import Case

MET, NOT_MET, NOT_MEASURED = "met", "NOT MET", "not measured"
# one more than in the limits, so that a figure just above one does not look like it
DECIMALS = 3


@dataclass(frozen=True)
class Ratio:
    """Median and spread over the rounds."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Ratio":
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return self.said()

    def said(self, decimals: int = 2) -> str:
        shown = (f"{part:.{decimals}f}" for part in (self.middle, self.least, self.most))
        return "{} ({} to {})".format(*shown)


@dataclass(frozen=True)
class Bar:
    """One bar. at_size: the smallest number of events for which it is meant."""

    name: str
    limit: float
    at_size: int
    figure: Callable[[dict[str, Case]], tuple[float, str, int] | None]


@dataclass(frozen=True)
class Verdict:
    """A bar and what became of it. is_at_size: measured at the size that it is meant for."""

    bar: Bar
    state: str
    said: str
    is_at_size: bool


def ratios(case: Case, stage: str, other: str) -> dict[str, Ratio] | None:
    """stage / other, round by round: of processor time and of wall clock."""
    ours, theirs = case.costs.get(stage, []), case.costs.get(other, [])
    pairs = list(zip(ours, theirs, strict=False))
    if not pairs:
        return None
    return {
        "processor": Ratio.of([a.cpu_seconds / b.cpu_seconds for a, b in pairs]),
        "wall": Ratio.of([a.seconds / b.seconds for a, b in pairs]),
    }


def verdicts(cases: Sequence[Case]) -> list[Verdict]:
    """What became of each bar."""
    by_name = {case.name: case for case in cases}
    return [_verdict(bar, by_name) for bar in BARS]


def _verdict(bar: Bar, cases: dict[str, Case]) -> Verdict:
    measured = bar.figure(cases)
    if measured is None:
        return Verdict(bar, NOT_MEASURED, "", False)
    figure, said, size = measured
    state = MET if figure <= bar.limit else NOT_MET
    return Verdict(bar, state, said, size >= bar.at_size)


def _full_against_reference(cases: dict[str, Case]) -> tuple[float, str, int] | None:
    case = cases.get("main")
    found = ratios(case, "full", "duckdb") if case else None
    return _worse(found, case) if case and found else None


def _night_against_full(cases: dict[str, Case]) -> tuple[float, str, int] | None:
    case = cases.get("main")
    if not case or not {"night", "empty", "full"} <= case.costs.keys():
        return None
    rounds = list(zip(case.costs["night"], case.costs["empty"], case.costs["full"], strict=False))
    found = {
        "processor": Ratio.of(
            [(n.cpu_seconds - e.cpu_seconds) / f.cpu_seconds for n, e, f in rounds]
        ),
        "wall": Ratio.of([(n.seconds - e.seconds) / f.seconds for n, e, f in rounds]),
    }
    # 0 or less where a night costs no more than an empty one: what it adds is lost in the noise
    return _worse(found, case)


def _long_against_short(cases: dict[str, Case]) -> tuple[float, str, int] | None:
    short, long = cases.get("history_short"), cases.get("history_long")
    if not short or not long or not short.costs.get("night") or not long.costs.get("night"):
        return None
    pairs = list(zip(long.costs["night"], short.costs["night"], strict=False))
    found = {
        "processor": Ratio.of([a.cpu_seconds / b.cpu_seconds for a, b in pairs]),
        "wall": Ratio.of([a.seconds / b.seconds for a, b in pairs]),
    }
    return found["wall"].middle, _said(found), long.size.events


def _seconds_of(stage: str) -> Callable[[dict[str, Case]], tuple[float, str, int] | None]:
    def figure(cases: dict[str, Case]) -> tuple[float, str, int] | None:
        case = cases.get("main")
        costs = case.costs.get(stage) if case else None
        if not case or not costs:
            return None
        wall = Ratio.of([cost.seconds for cost in costs])
        return wall.middle, f"{wall.said(DECIMALS)} s wall clock", case.size.events

    return figure


def _finished(name: str) -> Callable[[dict[str, Case]], tuple[float, str, int] | None]:
    def figure(cases: dict[str, Case]) -> tuple[float, str, int] | None:
        case = cases.get(name)
        if not case or not case.costs.get("full"):
            return None
        cost = case.costs["full"][0]
        memory = cost.memory_bytes / 2**30
        said = (
            f"finished in {cost.seconds:.0f} s with a limit of {case.machine.memory_limit}, "
            f"{memory:.{DECIMALS}f} GiB at most"
        )
        return memory, said, case.size.events

    return figure


def _growth(cases: dict[str, Case]) -> tuple[float, str, int] | None:
    small, large = cases.get("scale_small"), cases.get("scale_large")
    if not small or not large or not small.costs.get("full") or not large.costs.get("full"):
        return None
    a, b = large.costs["full"][0], small.costs["full"][0]
    found = {
        "processor": Ratio.of([a.cpu_seconds / large.raw_rows / (b.cpu_seconds / small.raw_rows)]),
        "wall": Ratio.of([a.seconds / large.raw_rows / (b.seconds / small.raw_rows)]),
    }
    return _worse(found, large)


def _disk(cases: dict[str, Case]) -> tuple[float, str, int] | None:
    case = cases.get("main")
    if not case or not case.landed_bytes or not case.warehouse_bytes:
        return None
    ratio = case.warehouse_bytes / case.landed_bytes
    warehouse, landed = case.warehouse_bytes / 1e6, case.landed_bytes / 1e6
    said = f"{ratio:.{DECIMALS}f} ({warehouse:,.0f} MB for {landed:,.0f} MB)"
    return ratio, said, case.size.events


def _worse(found: dict[str, Ratio], case: Case) -> tuple[float, str, int]:
    return max(ratio.middle for ratio in found.values()), _said(found), case.size.events


def _said(found: dict[str, Ratio]) -> str:
    return "; ".join(f"{what} {ratio.said(DECIMALS)}" for what, ratio in found.items())


# a limit of memory is DuckDB's own, which it overdraws a little; Python, dbt and Dagster need some
# hundred megabytes besides
BESIDES = 1.0
BARS = (
    Bar("full refresh / DuckDB reference, at most 4", 4, 15_000_000, _full_against_reference),
    Bar(
        "(night - empty night) / full refresh, at most 0.08", 0.08, 15_000_000, _night_against_full
    ),
    Bar(
        "night on 360 days, as long as on 30 days, at most 1.25 times",
        1.25,
        15_000_000,
        _long_against_short,
    ),
    Bar("empty night through Dagster, at most 45 s", 45, 15_000_000, _seconds_of("empty")),
    Bar("empty night, dbt alone, at most 25 s", 25, 15_000_000, _seconds_of("empty_dbt")),
    Bar(
        "50 million events within 4 GiB (and 1 GiB besides)",
        4 + BESIDES,
        50_000_000,
        _finished("scale_large"),
    ),
    Bar(
        "100 million events within 8 GiB, Python's memory included",
        8,
        100_000_000,
        _finished("scale_huge"),
    ),
    Bar("time per event at 50 million / at 5 million, at most 1.3", 1.3, 50_000_000, _growth),
    Bar("warehouse / landed Parquet, at most 3", 3, 15_000_000, _disk),
)
