"""A simulated shop: landing files in each source's own format, with the known truth beside them.

Belongs here: the public call and the order of its steps. The model of behaviour is in traffic.py,
behaviour.py and events.py, its numbers in catalogue.py; faults are in dirt.py; columns.py,
landing_files.py, generic_files.py, ga4_files.py and business_tables.py write; truth.py measures.
Does not belong here: landing the files, or anything that a real shop would need.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from orchestration.errors import IntentMapError
from orchestration.simulation import catalogue, columns, dirt, ga4_files, generic_files
from orchestration.simulation.behaviour import Sessions, simulate_sessions
from orchestration.simulation.business_tables import Orders, write_orders, write_spend
from orchestration.simulation.events import Events, play
from orchestration.simulation.landing_files import COPY_OPTIONS, LandingFiles
from orchestration.simulation.traffic import Traffic, draw_arrivals, plan_traffic, spend_rows
from orchestration.simulation.truth import Measurement, TruthFiles

LANDING_FOLDERS = ("generic", "ga4", "ad_spend", "orders")
_SESSIONS_PER_CHUNK = 120_000
# One independent stream of random numbers per purpose.
_WORLD, _LANDING, _DIRT, _BUSINESS, _TRUTH = range(5)


@dataclass(frozen=True)
class SimulationResult:
    """Where the files are, and how many rows each landing folder got."""

    landing: Path
    truth: Path
    rows: dict[str, int]
    files: int
    seconds: float


def simulate(
    out: Path,
    *,
    end_date: date,
    visitors: int = 28_000,
    days: int = 200,
    seed: int = 7,
    truth_visitors: int = 400_000,
    heavy_users: bool = False,
    ga4_share: float = 0.7,
    generic_formats: tuple[str, ...] = generic_files.FORMATS,
    file_days: int = 7,
    report: Callable[[str], None] = print,
) -> SimulationResult:
    """Writes `out`/landing and `out`/simulation_truth; the same arguments give the same rows.

    visitors: people who arrive in the `days` days up to and including `end_date` (UTC); some use
    two devices. About 12 events each; with heavy_users about 450. truth_visitors: people of the
    independent run behind the probabilities; 0 leaves those files out. ga4_share: of visitors, the
    others are in generic files, whose formats take turns. file_days: days in one event file.

    Raises IntentMapError for impossible arguments, and when `out`/landing holds other data.
    """
    began = time.monotonic()
    arguments = {
        "end_date": str(end_date),
        "visitors": visitors,
        "days": days,
        "seed": seed,
        "truth_visitors": truth_visitors,
        "heavy_users": heavy_users,
        "ga4_share": ga4_share,
        "generic_formats": list(generic_formats),
        "file_days": file_days,
    }
    _check(arguments)
    landing, truth_folder = out / "landing", out / "simulation_truth"
    _claim(landing, truth_folder / "arguments.json", arguments)

    start = end_date - timedelta(days=days - 1)
    traffic = plan_traffic(start, days, _generator(seed, _WORLD))
    connection = duckdb.connect()
    run = _Run(traffic, seed, visitors, ga4_share, heavy_users)
    counts, outages, orders = Counter(), [], Orders()
    sessions_by_day = np.zeros((len(catalogue.CAMPAIGNS), days), np.int64)
    calendars = {
        "generic": dirt.Calendar(traffic, file_days, generic_formats),
        "ga4": dirt.Calendar(traffic, file_days, ga4_files.FORMATS),
    }
    files = {
        "generic": LandingFiles(
            landing / "generic",
            "shop",
            calendars["generic"],
            lambda file_format: generic_files.select_rows(file_format, calendars["generic"]),
        ),
        "ga4": LandingFiles(
            landing / "ga4", "events", calendars["ga4"], lambda _: ga4_files.select_rows()
        ),
    }
    first_event, first_order = 0, 1_000_001
    for chunk in run.chunks(_LANDING, until=traffic.end_time):
        numbering = columns.Numbering(seed, first_event, first_order)
        first_event += len(chunk.events)
        for number, source in enumerate(files):
            rng = _generator(seed, _DIRT, chunk.number, number)
            rows, lost = dirt.deliver(
                chunk.events, chunk.sessions, source, calendars[source], counts, rng
            )
            outages += lost
            files[source].add(columns.gather(rows, chunk.events, chunk.sessions, numbering))
            files[source].write(connection, int(calendars[source].file_of(chunk.next_arrival)))
        placed = np.flatnonzero(chunk.events.code == catalogue.PURCHASE)
        numbers = first_order + np.arange(len(placed))
        orders.add(numbers, chunk.events.time[placed], chunk.events.amount[placed])
        first_order += len(placed)
        _count_sessions(sessions_by_day, chunk.sessions, traffic)
        if chunk.has_next:
            report(f"Simulated {chunk.people_done:,} of {visitors:,} people.")
    for source in files:
        files[source].write(connection, calendars[source].files)

    rng = _generator(seed, _BUSINESS)
    spend = spend_rows(traffic, sessions_by_day, visitors, rng)
    sold = orders.columns(traffic.end_time, rng)
    paths = write_spend(connection, landing / "ad_spend", spend, traffic)
    paths += write_orders(connection, landing / "orders", sold)

    truth_files = TruthFiles(truth_folder, connection)
    truth_files.write_parameters(sessions_by_day)
    truth_files.write_faults(counts, outages)
    if truth_visitors:
        truth_files.write_measured(_measure(traffic, seed, truth_visitors, heavy_users))
    result = SimulationResult(
        landing=landing,
        truth=truth_folder,
        rows={
            "generic": files["generic"].rows,
            "ga4": files["ga4"].rows,
            "ad_spend": len(spend["day"]),
            "orders": len(sold["number"]),
        },
        files=len(files["generic"].paths) + len(files["ga4"].paths) + len(paths),
        seconds=time.monotonic() - began,
    )
    report(
        f"Simulated shop: {result.rows['generic'] + result.rows['ga4']:,} event rows, "
        f"{result.rows['orders']:,} orders, {result.rows['ad_spend']:,} spend rows in "
        f"{result.files} files, {result.seconds:.1f} s. All of it is simulated data."
    )
    return result


@dataclass(frozen=True)
class _Chunk:
    number: int
    sessions: Sessions
    events: Events
    people_done: int
    has_next: bool
    # no event of a later chunk comes before this
    next_arrival: int


@dataclass(frozen=True)
class _Run:
    """People in order of arrival, a bounded number of sessions at a time."""

    traffic: Traffic
    seed: int
    people: int
    ga4_share: float
    heavy_users: bool

    def chunks(self, purpose: int, until: int) -> Iterator[_Chunk]:
        arrivals = draw_arrivals(self.traffic, self.people, _generator(self.seed, purpose))
        each = catalogue.HEAVY_SESSIONS_MEAN if self.heavy_users else 1.5
        size = max(1, int(_SESSIONS_PER_CHUNK / each))
        for number, first in enumerate(range(0, self.people, size)):
            last = min(first + size, self.people)
            rng = _generator(self.seed, purpose, number)
            sessions = simulate_sessions(
                self.traffic,
                arrivals,
                np.arange(first, last),
                until=until,
                ga4_share=self.ga4_share,
                heavy_users=self.heavy_users,
                rng=rng,
            )
            next_cell = int(np.searchsorted(arrivals, last, side="right"))
            next_day = next_cell // len(catalogue.CAMPAIGNS)
            yield _Chunk(
                number=number,
                sessions=sessions,
                events=play(sessions, rng),
                people_done=last,
                has_next=last < self.people,
                next_arrival=self.traffic.start_time + next_day * catalogue.DAY,
            )


def _measure(traffic: Traffic, seed: int, people: int, heavy_users: bool) -> Measurement:
    """The truth from people of their own, followed until no trial can still succeed."""
    horizon = int(catalogue.DELAY_CUT_DAYS + 1) * catalogue.DAY
    measured = Measurement(traffic.end_time)
    # without GA4's own events, which mean nothing to a truth
    run = _Run(traffic, seed, people, ga4_share=0.0, heavy_users=heavy_users)
    for chunk in run.chunks(_TRUTH, until=traffic.end_time + horizon):
        measured.add(chunk.sessions, chunk.events)
    return measured


def _count_sessions(total: np.ndarray, sessions: Sessions, traffic: Traffic) -> None:
    seen = sessions.start < traffic.end_time
    days = traffic.day_of(sessions.start[seen])
    cells = sessions.campaign[seen].astype(np.int64) * traffic.days + days
    total += np.bincount(cells, minlength=total.size).reshape(total.shape)


def _generator(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, *purpose])


def _check(arguments: dict) -> None:
    for name, minimum in (("visitors", 1), ("days", 1), ("truth_visitors", 0), ("file_days", 1)):
        if arguments[name] < minimum:
            raise IntentMapError(
                f"The simulation's {name} is {arguments[name]}; give at least {minimum}."
            )
    if arguments["seed"] < 0:
        raise IntentMapError(f"The simulation's seed is {arguments['seed']}; give 0 or more.")
    if not 0 <= arguments["ga4_share"] <= 1:
        raise IntentMapError(
            f"The simulation's ga4_share is {arguments['ga4_share']}; give a share from 0 to 1."
        )
    unknown = [name for name in arguments["generic_formats"] if name not in COPY_OPTIONS]
    if unknown or not arguments["generic_formats"]:
        raise IntentMapError(
            f"The simulation's generic_formats are {arguments['generic_formats']}; "
            f"choose from {', '.join(COPY_OPTIONS)}."
        )


def _claim(landing: Path, record: Path, arguments: dict) -> None:
    """Refuses a landing folder with other data: simulated rows must not mix with real ones."""
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else None
    held = [path for name in LANDING_FOLDERS for path in (landing / name).glob("*")]
    if held and known != arguments:
        raise IntentMapError(
            f"{held[0]} exists already, and not from this simulation: simulated rows must not mix "
            "with others. Choose another folder, or remove the landing folder."
        )
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(arguments, indent=1) + "\n", encoding="utf-8")
