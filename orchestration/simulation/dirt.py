"""What goes wrong between the shop and its landing files, with every fault counted.

Belongs here: which rows reach which file, twice, late, broken, from a bot or not at all.
Does not belong here: the behaviour behind the rows (behaviour.py, events.py), the text of a broken
value in a file (generic_files.py, ga4_files.py).

Broken rows are extra copies of real ones under ids of their own, so that no fault takes an event
away; only an outage does.
"""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation.behaviour import Sessions
from orchestration.simulation.events import Events, opens_session
from orchestration.simulation.traffic import Traffic

FAULTS = (
    "none",
    "duplicate",
    "missing_visitor",
    "time_1970",
    "time_2100",
    "unreadable_time",
    "unreadable_value",
    "bot",
    "order_id_repeated",
)
(
    NONE,
    DUPLICATE,
    MISSING_VISITOR,
    TIME_1970,
    TIME_2100,
    UNREADABLE_TIME,
    UNREADABLE_VALUE,
    BOT,
    ORDER_ID_REPEATED,
) = range(len(FAULTS))
_TIME_1970 = 1 * c.SECOND
_TIME_2100 = 4_102_444_800 * c.SECOND
_BOT_BURST = 25
TEXT_FORMATS = ("csv", "csv.gz", "jsonl")


@dataclass(frozen=True)
class Calendar:
    """Days cut into landing files of `file_days`, each in one format."""

    traffic: Traffic
    file_days: int
    formats: tuple[str, ...]

    @property
    def files(self) -> int:
        return -(-self.traffic.days // self.file_days)

    def file_of(self, time: np.ndarray) -> np.ndarray:
        return (self.traffic.day_of(time) // self.file_days).astype(np.int16)

    def format_of(self, file: int) -> str:
        return self.formats[file % len(self.formats)]

    def dates_of(self, file: int) -> tuple[date, date]:
        first = file * self.file_days
        last = min(first + self.file_days, self.traffic.days) - 1
        start = self.traffic.start
        return start + timedelta(days=first), start + timedelta(days=last)


@dataclass
class Rows:
    """One entry per row of a landing file. event: position in Events. time: as the row tells it."""

    event: np.ndarray
    file: np.ndarray
    time: np.ndarray
    fault: np.ndarray
    is_not_set: np.ndarray
    is_click_id_only: np.ndarray

    def __len__(self) -> int:
        return len(self.event)

    def take(self, index: np.ndarray) -> "Rows":
        return Rows(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def copies(self, index: np.ndarray, fault: int, time: np.ndarray | None = None) -> "Rows":
        rows = self.take(index)
        rows.fault = np.full(len(index), fault, np.int8)
        if time is not None:
            rows.time = time
        return rows


@dataclass(frozen=True)
class Outage:
    """One event name that a source lost for a day, in part."""

    source: str
    event: int
    day: date
    share: float
    rows_without_outage: int
    rows_landed: int


def deliver(
    events: Events,
    sessions: Sessions,
    source: str,
    calendar: Calendar,
    counts: Counter,
    rng: np.random.Generator,
) -> tuple[Rows, list[Outage]]:
    """The rows of one source, in no order; adds to `counts` by (kind, source).

    Rows after the last day are not delivered: the shop's present is the end of that day.
    """
    is_here = sessions.is_ga4 if source == "ga4" else ~sessions.is_ga4
    is_delivered = is_here[events.session] & (events.time < calendar.traffic.end_time)
    outages = _outages(events, sessions, source, calendar, is_delivered, rng)
    rows = _clean_rows(events, sessions, source, calendar, np.flatnonzero(is_delivered), rng)
    on_time = calendar.file_of(rows.time)
    counts["late", source] += int((rows.file > on_time).sum())
    counts["consent_refused", source] += int(sessions.is_refused[events.session[rows.event]].sum())

    extra = [
        _duplicates(rows, events, sessions, calendar, rng),
        *_malformed(rows, events, sessions, source, calendar, rng),
        _repeated_orders(rows, events, sessions, calendar, rng),
    ]
    if source == "generic":
        extra.append(_bots(rows, events, sessions, calendar, rng))
    for copies in extra:
        if len(copies):
            counts[FAULTS[copies.fault[0]], source] += len(copies)
    rows = _concatenate([rows, *extra])

    counts["order_id_not_set", source] += int(rows.is_not_set.sum())
    counts["click_id_only", source] += int(rows.is_click_id_only.sum())
    is_unknown = events.code[rows.event] == c.CHAT_OPENED
    counts["unknown_event_name", source] += int(is_unknown.sum())
    return rows, outages


def _outages(
    events: Events,
    sessions: Sessions,
    source: str,
    calendar: Calendar,
    is_delivered: np.ndarray,
    rng: np.random.Generator,
) -> list[Outage]:
    """Takes the lost events out of `is_delivered`."""
    outages = []
    for code, where, days_before_end, share in c.OUTAGES:
        day = calendar.traffic.days - 1 - days_before_end
        if where != source or day < 0:
            continue
        begin = calendar.traffic.start_time + day * c.DAY
        is_hit = is_delivered & (events.code == code)
        is_hit &= (events.time >= begin) & (events.time < begin + c.DAY)
        loses = rng.random(len(sessions)) < share
        is_lost = is_hit & loses[events.session]
        is_delivered &= ~is_lost
        outages.append(
            Outage(
                source=source,
                event=code,
                day=calendar.traffic.start + timedelta(days=day),
                share=share,
                rows_without_outage=int(is_hit.sum()),
                rows_landed=int(is_hit.sum() - is_lost.sum()),
            )
        )
    return outages


def _clean_rows(
    events: Events,
    sessions: Sessions,
    source: str,
    calendar: Calendar,
    index: np.ndarray,
    rng: np.random.Generator,
) -> Rows:
    count = len(index)
    time, session = events.time[index], events.session[index]
    is_late = rng.random(len(sessions))[session] < c.LATE_SESSION_SHARE
    is_late |= rng.random(count) < c.LATE_ROW_SHARE
    file = calendar.file_of(time) + is_late * rng.integers(1, 3, count)
    has_consent = ~sessions.is_refused[session]
    code = events.code[index]
    is_not_set = (code == c.PURCHASE) & has_consent & (source == "ga4")
    is_not_set &= rng.random(count) < c.ORDER_NOT_SET_SHARE
    tells_source = opens_session(events, index) & has_consent
    tells_source &= sessions.campaign[session] == c.GENERIC_SEARCH_CAMPAIGN
    loses_tags = rng.random(len(sessions))[session] < c.CLICK_ID_ONLY_SHARE
    return Rows(
        event=index,
        file=np.minimum(file, calendar.files - 1).astype(np.int16),
        time=time,
        fault=np.zeros(count, np.int8),
        is_not_set=is_not_set,
        is_click_id_only=tells_source & loses_tags,
    )


def _duplicates(rows, events, sessions, calendar, rng) -> Rows:
    """Exact copies, some of them delivered once more with the next file."""
    has_consent = ~sessions.is_refused[events.session[rows.event]]
    copies = rows.copies(_some(np.flatnonzero(has_consent), c.DUPLICATE_SHARE, rng), DUPLICATE)
    copies.file = copies.file + (rng.random(len(copies)) < 0.3).astype(np.int16)
    copies.file = np.minimum(copies.file, calendar.files - 1)
    return copies


def _malformed(rows, events, sessions, source, calendar, rng) -> list[Rows]:
    plain = _plain_rows(rows, events, sessions)
    text_files = [f for f in range(calendar.files) if calendar.format_of(f) in TEXT_FORMATS]
    in_text = np.isin(rows.file, text_files)
    is_cart = events.code[rows.event] == c.ADD_TO_CART
    is_cart &= ~sessions.is_refused[events.session[rows.event]]
    candidates = {
        MISSING_VISITOR: plain,
        TIME_1970: plain,
        TIME_2100: plain,
    }
    if source == "generic":
        candidates[UNREADABLE_TIME] = plain[in_text[plain]]
        candidates[UNREADABLE_VALUE] = np.flatnonzero(is_cart & in_text)
    malformed = []
    for fault, among in candidates.items():
        share = c.MALFORMED_SHARE * (10 if fault == UNREADABLE_VALUE else 1)
        copies = rows.copies(_some(among, share, rng), fault)
        if fault == TIME_1970:
            copies.time = np.full(len(copies), _TIME_1970)
        if fault == TIME_2100:
            copies.time = np.full(len(copies), _TIME_2100)
        malformed.append(copies)
    return malformed


def _repeated_orders(rows, events, sessions, calendar, rng) -> Rows:
    """The thank-you page opened again weeks later: the same order id under a new event id."""
    is_order = (events.code[rows.event] == c.PURCHASE) & ~rows.is_not_set
    is_order &= ~sessions.is_refused[events.session[rows.event]]
    again = rows.time + (rng.uniform(14, 56, len(rows)) * 86_400_000).astype(np.int64) * 1000
    among = np.flatnonzero(is_order & (again < calendar.traffic.end_time))
    index = _some(among, c.ORDER_REPEATED_SHARE, rng)
    copies = rows.copies(index, ORDER_ID_REPEATED, again[index])
    copies.file = calendar.file_of(copies.time)
    return copies


def _bots(rows, events, sessions, calendar, rng) -> Rows:
    """Bursts of page and product views by crawlers, each burst by one visitor."""
    plain = _plain_rows(rows, events, sessions)
    burst = np.sort(_some(plain, c.BOT_SHARE / _BOT_BURST, rng))
    copies = rows.copies(np.repeat(burst, _BOT_BURST), BOT)
    step = np.tile(np.arange(_BOT_BURST), len(burst))
    copies.time = np.minimum(copies.time + step * 700_000, calendar.traffic.end_time - 1000)
    copies.file = calendar.file_of(copies.time)
    return copies


def _plain_rows(rows, events, sessions) -> np.ndarray:
    """Rows that carry no session source, money or order, so that a copy of one means nothing."""
    code = events.code[rows.event]
    is_plain = np.isin(code, (c.PAGE_VIEW, c.VIEW_ITEM, c.SCROLL))
    is_plain &= events.sequence[rows.event] > 2
    return np.flatnonzero(is_plain & ~sessions.is_refused[events.session[rows.event]])


def _some(among: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A random part of `among`; at least one where there are any, so that small runs see it."""
    if len(among) == 0:
        return among
    size = max(1, round(len(among) * share))
    return rng.choice(among, size, replace=False)


def _concatenate(parts: list[Rows]) -> Rows:
    return Rows(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Rows)}
    )
