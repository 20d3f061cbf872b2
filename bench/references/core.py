"""The core that every reference computes, and how two results are compared.

Belongs here: the definition, the rules that it shares with the project, results as plain numbers.
Does not belong here: computing it (the other modules of this folder).

From the raw files of the generic format:

1. **Accepted** rows have a visitor, a time (from 2015-01-01 to a day from now), no refused
   analytics consent, and no user agent that a rule of `seeds/bot_rules.csv` names. Of the rows with
   one event id one counts; copies of an event are taken to say the same.
2. **Order**: a visitor's events by time, then sequence. (The project settles what is still equal by
   the event id; in the generated files nothing is.)
3. **Sessions**: a gap longer than 30 minutes begins a new one; a visit is cut at every full 24
   hours after its start. The first of a visitor is `new`, the others `returning`. Its source is
   that of its first event that carries a source, medium, campaign or Google click id; a click id
   repairs a missing or organic source; without any it is `(direct)`. Its date is that of its start,
   in UTC.
4. **Micro-conversions**: the first time in each session of six of them, MICROS.
5. **Orders**: the purchases of one order id are one, the earliest; without an id each is one.
6. **P(macro | micro)**: of the sessions with the micro-conversion, those whose visitor's next
   order, later in the order of events, comes at most 30 days after it; by source and visitor type.
7. **Daily counts** by date, source and visitor type: sessions, events, sessions with each of the
   six, orders and their value, on the date of their session.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).resolve().parents[2] / "seeds"

TIMEOUT_MICROSECONDS = 30 * 60 * 1_000_000
MAXIMUM_MICROSECONDS = 24 * 3600 * 1_000_000
HORIZON_MICROSECONDS = 30 * 24 * 3600 * 1_000_000
DAY_MICROSECONDS = 24 * 3600 * 1_000_000
PROJECT_START = "2015-01-01"
REFUSED_CONSENT = ("denied", "no", "false", "0")
UNKNOWN_TEXT = ("", "(not set)", "<other>", "(data deleted)", "(direct)", "(none)", "null")
NO_ORDER_ID = ("", "(not set)", "null", "undefined", "none", "n/a")

# in the order of their codes, from 1: the event, and the property that must reach a number
MICROS = {
    "product_viewed": ("view_item", None, None),
    "deep_scroll": ("scroll", "percent_scrolled", 75),
    "video_half": ("video_progress", "video_percent", 50),
    "cart_filled": ("add_to_cart", None, None),
    "checkout_started": ("begin_checkout", None, None),
    "payment_info_added": ("add_payment_info", None, None),
}
MACRO = "purchase"
MACRO_CODE = len(MICROS) + 1

# columns of the raw files that the core reads
COLUMNS = (
    "event_id",
    "visitor_id",
    "occurred_at",
    "event_name",
    "properties",
    "value",
    "order_id",
    "source",
    "medium",
    "campaign",
    "gclid",
    "user_agent",
    "consent_analytics",
    "sequence",
)

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Core:
    """A result: whole numbers by key. money in hundredths, times in microseconds.

    totals: name → number. daily: (date, source, visitor type) → sessions, events, sessions with
    each micro, orders, value. firsts: (date, micro) → sessions with it, and the sum of its first
    times since the beginning of that date. rates: (micro, source, visitor type) → trials,
    conversions.
    """

    totals: Mapping[str, int]
    daily: Mapping[Row, Row]
    firsts: Mapping[Row, Row]
    rates: Mapping[Row, Row]


def core_of(
    totals: Mapping[str, int],
    daily: Iterable[Sequence[Any]],
    firsts: Iterable[Sequence[Any]],
    rates: Iterable[Sequence[Any]],
) -> Core:
    """A result from rows: the key columns first, then the numbers. Raises ValueError for a key
    that comes twice, of which one row would hide the other, and for a number that is not whole.
    """
    return Core(
        totals={name: int(number) for name, number in totals.items()},
        daily=_keyed(daily, 3),
        firsts=_keyed(firsts, 2),
        rates=_keyed(rates, 3),
    )


def write(core: Core, file: Path) -> None:
    tables = {
        name: [[*key, *numbers] for key, numbers in sorted(getattr(core, name).items())]
        for name in ("daily", "firsts", "rates")
    }
    file.write_text(json.dumps({"totals": dict(core.totals), **tables}), encoding="utf-8")


def read(file: Path) -> Core:
    return core_of(**json.loads(file.read_text(encoding="utf-8")))


def differences(one: Core, other: Core, shown: int = 3) -> list[str]:
    """What differs, in words; empty when the results are the same, number for number."""
    said = []
    for table in ("totals", "daily", "firsts", "rates"):
        left, right = getattr(one, table), getattr(other, table)
        keys = [key for key in left.keys() | right.keys() if left.get(key) != right.get(key)]
        if keys:
            said.append(f"{table}: {len(keys)} of {len(left.keys() | right.keys())} differ")
            said += [
                f"  {key}: {left.get(key)} against {right.get(key)}"
                for key in sorted(keys, key=repr)[:shown]
            ]
    return said


@cache
def _bot_patterns() -> tuple[re.Pattern[str], ...]:
    with (SEEDS / "bot_rules.csv").open(encoding="utf-8", newline="") as file:
        rules = [rule for rule in csv.DictReader(file) if rule["kind"] == "user_agent"]
    return tuple(re.compile(rule["pattern"], re.IGNORECASE) for rule in rules)


def bots_among(user_agents: Iterable[str | None]) -> list[str]:
    """Those that a rule names; meant for the few different ones, not for every row."""
    return [
        agent
        for agent in user_agents
        if agent is not None and any(pattern.search(agent) for pattern in _bot_patterns())
    ]


def files_of(folder: Path) -> str:
    """The raw files of a part of generated data, as a pattern."""
    return str(folder / "generic" / "*.parquet")


def _keyed(rows: Iterable[Sequence[Any]], keys: int) -> dict[Row, Row]:
    keyed: dict[Row, Row] = {}
    for row in rows:
        key = tuple(str(part) for part in row[:keys])
        numbers = tuple(int(number or 0) for number in row[keys:])
        if key in keyed:
            raise ValueError(f"{key} comes twice")
        if any(whole != (number or 0) for whole, number in zip(numbers, row[keys:], strict=True)):
            raise ValueError(f"{key} has a number that is not whole: {row[keys:]}")
        keyed[key] = numbers
    return keyed
