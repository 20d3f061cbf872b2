"""The known truth: what the models should find, measured on an independent and uncensored run.

Belongs here: counting trials and successes over simulated behaviour, and writing the truth files.
Does not belong here: the behaviour (behaviour.py, events.py), landing files (landing_files.py).
"""

from collections import Counter
from pathlib import Path

import duckdb
import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation.behaviour import Sessions, purchase_probabilities, steps_of
from orchestration.simulation.dirt import Outage
from orchestration.simulation.events import Events
from orchestration.simulation.landing_files import copy_to

HORIZON_DAYS = 30
WINSOR_QUANTILE = 0.99
ALL = "(all)"
ANY_SESSION = "(any session)"
_TRIALS = (*c.MICROS, ANY_SESSION)
_QUALIFIED = {
    c.VIEWED: (c.VIEW_ITEM, 0),
    c.SCROLLED: (c.SCROLL, 75),
    c.VIDEO: (c.VIDEO_PROGRESS, 50),
    c.GALLERY: (c.GALLERY_NEXT, 0),
    c.SEARCHED: (c.SEARCH, 0),
    c.NEWSLETTER: (c.SIGN_UP, 0),
    c.WISHLIST: (c.ADD_TO_WISHLIST, 0),
    c.CART: (c.ADD_TO_CART, 0),
    c.CHECKOUT: (c.BEGIN_CHECKOUT, 0),
    c.PAYMENT: (c.ADD_PAYMENT_INFO, 0),
}
_GALLERY_OCCURRENCES = 3

README = """# Simulated truth

Everything in this folder is the known truth of a SIMULATED shop: no person, visit or order in it
is real. It lies outside the landing folder and no model reads it.

- segment_probabilities.csv: trial = session with the micro-conversion, at its first qualified
  moment; success = an order of the same person later in event order and at most 30 days later.
  Sessions end after a gap longer than 30 minutes. Measured on an independent run without
  censoring; standard_error is binomial, a little too small since one person can hold several
  trials. `(any session)` counts every session from its first event;
  probability_without counts the sessions that never had the micro-conversion, likewise.
- state_probabilities.csv: probability that an ordinary session ending in that state leads to an
  order, and the part of it in the session itself. The model's own parameter; sessions in which
  people return to buy come on top and always end in an order.
- delays.csv: share of a micro-conversion's successes that came within so many days;
  `(decided earlier)` is the parameter for orders placed in a later session.
- macro_values.csv: mean order value in USD. own_segment: of orders placed in sessions of the
  segment; winsorised: orders above the 99th percentile of all orders count as that percentile.
  following: of the first order within 30 days after the start of the segment's sessions.
- campaigns.csv: elasticity of daily clicks to daily spend; empty where the spend is constant.
- outages.csv, dirt.csv: planted faults, counted as rows of the landing files.
"""


class Measurement:
    """Counts over chunks of whole people: trials, successes, delays, order values."""

    def __init__(self, end_time: int) -> None:
        """end_time: sessions from here on are no trials; their orders still count as successes."""
        shape = (len(_TRIALS), c.SEGMENTS)
        self._end_time = end_time
        self.trials = np.zeros(shape, np.int64)
        self.successes = np.zeros(shape, np.int64)
        # among sessions of the segment with the micro, successes counted from the session's start
        self.sessions_with_success = np.zeros(shape, np.int64)
        self.delays = np.zeros((len(_TRIALS), HORIZON_DAYS), np.int64)
        self.own_segments: list[np.ndarray] = []
        self.own_values: list[np.ndarray] = []
        self.following_values = np.zeros((2, c.SEGMENTS))

    def add(self, sessions: Sessions, events: Events) -> None:
        """Counts one chunk; events must be ordered by person and event order."""
        segment = sessions.segment.astype(np.int64)
        purchases = np.flatnonzero(events.code == c.PURCHASE)
        in_window = sessions.start < self._end_time
        starts = np.flatnonzero(np.r_[True, events.session[1:] != events.session[:-1]])
        any_success = np.zeros(len(sessions), bool)
        for number, name in enumerate((ANY_SESSION, *c.MICROS)):
            row = _TRIALS.index(name)
            moments = starts if number == 0 else _first_moments(events, number - 1)
            moments = moments[in_window[events.session[moments]]]
            who = events.session[moments]
            order, delay = _next_order(moments, purchases, events, sessions.person)
            is_success = order >= 0
            if number == 0:
                any_success[who] = is_success
                first_orders = np.flatnonzero(is_success)
                amounts = events.amount[order[first_orders]]
                after = segment[who[first_orders]]
                self.following_values[0] += _count(after)
                self.following_values[1] += np.bincount(after, amounts, minlength=c.SEGMENTS)
            self.trials[row] += _count(segment[who])
            self.successes[row] += _count(segment[who[is_success]])
            self.sessions_with_success[row] += _count(segment[who[any_success[who]]])
            days = np.minimum(delay[is_success] // c.DAY, HORIZON_DAYS - 1)
            self.delays[row] += np.bincount(days, minlength=HORIZON_DAYS)
        buying = events.session[purchases]
        seen = in_window[buying]
        self.own_segments.append(segment[buying[seen]])
        self.own_values.append(events.amount[purchases[seen]])


def _count(segment: np.ndarray) -> np.ndarray:
    return np.bincount(segment, minlength=c.SEGMENTS)


def _first_moments(events: Events, micro: int) -> np.ndarray:
    """Position of the event that first meets the micro-conversion, for each session that does."""
    code, at_least = _QUALIFIED[micro]
    qualified = np.flatnonzero((events.code == code) & (events.detail >= at_least))
    session = events.session[qualified]
    first = np.flatnonzero(np.r_[True, session[1:] != session[:-1]][: len(session)])
    if micro != c.GALLERY:
        return qualified[first]
    nth = first + _GALLERY_OCCURRENCES - 1
    is_met = np.diff(np.r_[first, len(session)]) >= _GALLERY_OCCURRENCES
    return qualified[nth[is_met]]


def _next_order(
    moments: np.ndarray, purchases: np.ndarray, events: Events, person: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The person's next order inside the horizon (-1: none), and how long after the moment."""
    if len(purchases) == 0:
        return np.full(len(moments), -1), np.zeros(len(moments), np.int64)
    after = np.searchsorted(purchases, moments, side="right")
    order = purchases[np.minimum(after, len(purchases) - 1)]
    delay = events.time[order] - events.time[moments]
    is_success = (after < len(purchases)) & (delay <= HORIZON_DAYS * c.DAY)
    is_success &= person[events.session[order]] == person[events.session[moments]]
    return np.where(is_success, order, -1), delay


class TruthFiles:
    """Writes the truth, one CSV file per table."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._folder = folder
        self._connection = connection
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text(README, encoding="utf-8")

    def write_measured(self, measured: Measurement) -> None:
        """Probabilities and values per segment and its parents, delays per micro-conversion."""
        groups = list(_segment_groups())
        base = _TRIALS.index(ANY_SESSION)
        rows = []
        for row, micro in enumerate(_TRIALS):
            for intent, visitor_type, members in groups:
                trials = int(measured.trials[row, members].sum())
                successes = int(measured.successes[row, members].sum())
                without = int(measured.trials[base, members].sum()) - trials
                success_without = int(measured.successes[base, members].sum())
                success_without -= int(measured.sessions_with_success[row, members].sum())
                p = successes / trials if trials else None
                error = (p * (1 - p) / trials) ** 0.5 if trials else None
                p_without = success_without / without if without else None
                rows.append((micro, intent, visitor_type, trials, successes, p, error, p_without))
        names = "micro_conversion, intent_class, visitor_type, trials, successes, probability"
        names += ", standard_error, probability_without"
        self._write("segment_probabilities", names, rows)

        own_segment, own_value = map(np.concatenate, (measured.own_segments, measured.own_values))
        ceiling = np.quantile(own_value, WINSOR_QUANTILE) if len(own_value) else 0
        rows = []
        for intent, visitor_type, members in groups:
            own = own_value[np.isin(own_segment, members)]
            following, following_revenue = measured.following_values[:, members].sum(axis=1)
            rows.append(
                (
                    intent,
                    visitor_type,
                    len(own),
                    float(own.mean()) if len(own) else None,
                    float(np.minimum(own, ceiling).mean()) if len(own) else None,
                    int(following),
                    following_revenue / following if following else None,
                )
            )
        names = "intent_class, visitor_type, orders_own_segment, mean_value_own_segment"
        names += ", mean_value_own_segment_winsorised, orders_following, mean_value_following"
        self._write("macro_values", names, rows)

        days = range(1, HORIZON_DAYS + 1)
        cut = 1 - np.exp(-c.DELAY_CUT_DAYS / c.DELAY_MEAN_DAYS)
        rows = [
            ("(decided earlier)", day, float((1 - np.exp(-day / c.DELAY_MEAN_DAYS)) / cut))
            for day in days
        ]
        for row, micro in enumerate(_TRIALS):
            cumulative = np.cumsum(measured.delays[row]) / max(1, measured.delays[row].sum())
            rows += [(micro, day, float(cumulative[day - 1])) for day in days]
        self._write("delays", "micro_conversion, days, cumulative_share", rows)

    def write_parameters(self, sessions_by_day: np.ndarray) -> None:
        """What the generator was told: probabilities per state, response of campaigns."""
        probability = purchase_probabilities()
        steps = steps_of(np.arange(len(probability)))
        rows = []
        for state in range(len(probability)):
            if not _is_reachable(state):
                continue
            names = [micro for i, micro in enumerate(c.MICROS) if state >> i & 1]
            in_session = c.STEP_IN_SESSION[steps[state]]
            for segment in range(c.SEGMENTS):
                p = float(probability[state, segment])
                text = "+".join(names) or "(none)"
                rows.append((text, *c.segment_name(segment), p, p * in_session))
        names = "state, intent_class, visitor_type, probability, in_session_probability"
        self._write("state_probabilities", names, rows)

        rows = []
        for number, campaign in enumerate(c.CAMPAIGNS):
            has_spend = campaign.cost_per_click > 0
            rows.append(
                (
                    campaign.name,
                    campaign.source,
                    campaign.medium,
                    c.INTENT_CLASSES[campaign.intent],
                    has_spend,
                    has_spend and campaign.spend_sd == 0,
                    campaign.elasticity if campaign.spend_sd else None,
                    int(sessions_by_day[number].sum()),
                )
            )
        source, medium, name, _ = c.UNTRACKED_SPEND
        rows.append((name, source, medium, None, True, True, None, 0))
        names = "campaign, source, medium, intent_class, has_spend, is_constant, elasticity"
        self._write("campaigns", names + ", sessions", rows)

    def write_faults(self, counts: Counter, outages: list[Outage]) -> None:
        """Planted dirt, as rows of the landing files, and the outages."""
        rows = [(kind, source, count) for (kind, source), count in sorted(counts.items())]
        self._write("dirt", "kind, source, rows", rows)
        merged: dict[tuple, list[int]] = {}
        for outage in outages:
            key = (str(outage.day), outage.source, c.EVENTS[outage.event], outage.share)
            total = merged.setdefault(key, [0, 0])
            total[0] += outage.rows_without_outage
            total[1] += outage.rows_landed
        rows = [(*key, *total) for key, total in sorted(merged.items())]
        names = "day, source, event_name, share_lost, rows_without_outage, rows_landed"
        self._write("outages", names, rows)

    def _write(self, name: str, columns: str, rows: list[tuple]) -> None:
        names = [column.strip() for column in columns.split(",")]
        by_column = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        lists = ", ".join(f"unnest(${i + 1}) AS {column}" for i, column in enumerate(names))
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE truth_rows AS SELECT {lists}",
            [list(values) for values in by_column],
        )
        copy_to(self._connection, "FROM truth_rows", self._folder / f"{name}.csv", "csv")


def _segment_groups():
    """(intent class, visitor type, segment codes): each segment, its intent class, all of them."""
    for segment in range(c.SEGMENTS):
        yield (*c.segment_name(segment), [segment])
    for number, intent in enumerate(c.INTENT_CLASSES):
        yield intent, ALL, [number * 2, number * 2 + 1]
    yield ALL, ALL, list(range(c.SEGMENTS))


def _is_reachable(state: int) -> bool:
    return all(not state >> micro & 1 or state >> parent & 1 for micro, parent in c.PARENT.items())
