"""What the served tables say of the last days and of the value version.

Belongs here: volume, refused rows, the version in force. Does not belong here: whether the served
files are whole (files.py).
"""

import contextlib
import statistics
from collections.abc import Iterator
from datetime import date, timedelta

import duckdb

from orchestration.errors import first_line
from orchestration.health.arrivals import usual_gap
from orchestration.health.findings import ERROR, OK, WARN, Finding
from orchestration.health.view import View
from orchestration.quarters import first_day_of_quarter, next_quarter
from orchestration.report import FIRST_DAY, VALUES_NO_SESSION
from orchestration.settings import SERVING_FILE

# with fewer such weekdays there is no usual one
FEWEST_WEEKDAYS = 3


def of_served_tables(view: View) -> Iterator[Finding]:
    served = view.settings.serving / SERVING_FILE
    if not served.exists():
        return
    try:
        with duckdb.connect(str(served), read_only=True) as con:
            with contextlib.suppress(duckdb.CatalogException):
                yield from _of_days(view, con.execute(DAYS).fetchall())
            with contextlib.suppress(duckdb.CatalogException):
                (first,) = con.execute(FIRST_DAY).fetchone()
                newest = con.execute(NEWEST_VERSION).fetchone() or (None, False)
                yield _value_version(view, first, *newest)
    except duckdb.Error as error:
        sentence = (
            f"{served} cannot be read: {first_line(error).rstrip('.!')}. intent-map publish writes "
            "it anew."
        )
        yield Finding("publish", ERROR, sentence)


DAYS = """
    select source_system, date, sum(raw), sum(refused), sum(refused_currency_without_rate)
    from marts.mart_event_audit
    group by source_system, date
    order by source_system, date
"""
# a name in parentheses stands for the configured weights, in force before any version
NEWEST_VERSION = f"""
    select valid_from, {VALUES_NO_SESSION}
    from marts.mart_micro_values
    where value_version not like '(%'
    group by valid_from
    order by valid_from desc
    limit 1
"""


def _of_days(view: View, rows: list[tuple[str, date, int, int, int]]) -> Iterator[Finding]:
    by_source: dict[str, dict[date, tuple[int, int]]] = {}
    unrated: dict[tuple[str, date], int] = {}
    for source, day, raw, refused, no_rate in rows:
        by_source.setdefault(source, {})[day] = (int(raw), int(refused))
        unrated[source, day] = int(no_rate)
    for source, days in by_source.items():
        if source not in view.values["event_sources"]:
            continue
        filled = [day for day, (raw, _) in days.items() if raw and day <= view.today]
        since = view.today - timedelta(view.values["health_history_days"])
        lately = [day for day in filled if day >= since]
        # until the rate is there, which has every row judged anew, money is missing
        told = [day for day in lately if unrated[source, day]]
        nothing = bool(lately) and all(days[day][0] == days[day][1] for day in lately)
        yield from _old_events(view, source, days)
        if told:
            yield _without_rate(source, told, sum(unrated[source, day] for day in told))
        elif nothing:
            yield _all_refused(source, lately, sum(days[day][0] for day in lately))
        if len(filled) > 1:
            # the newest day is one that may still be coming in
            yield from _volume(view, source, days, filled[-2], filled[0])
            if not nothing:
                yield from _refused_rows(view, source, days, filled[-2])


def _old_events(view: View, source: str, days: dict[date, tuple[int, int]]) -> Iterator[Finding]:
    """Files that come in time may hold nothing new, as of an export that stands still."""
    arrivals = view.ledger.arrivals.get(source, []) if view.ledger else []
    usual = usual_gap(arrivals)
    accepted = [day for day, (raw, refused) in days.items() if raw > refused and day <= view.today]
    if usual is None or not accepted:
        return
    arrived = date.fromisoformat(arrivals[-1][0])
    age = (arrived - max(accepted)).days
    # the events of a day come when it is over
    if age > (usual + 1) * view.values["health_late_share"]:
        sentence = (
            f"The newest events are of {max(accepted)}, but the newest file came on {arrived}: "
            f"{age} days lie between. See whether its export sends anything new."
        )
        yield Finding("freshness", WARN, sentence, source, {"days from event to arrival": age})


def _volume(
    view: View, source: str, days: dict[date, tuple[int, int]], day: date, first: date
) -> Iterator[Finding]:
    rows = days[day][0]
    same = [day - timedelta(7 * w) for w in range(1, view.values["health_history_days"] // 7 + 1)]
    counts = [days.get(other, (0, 0))[0] for other in same if other >= first]
    figures: dict[str, float | int] = {"rows": rows}
    said = f"{rows:,} rows on {day:%A}, {day}"
    if len(counts) < FEWEST_WEEKDAYS:
        yield Finding(
            "volume", OK, f"{said}; too few such weekdays to know what is usual.", source, figures
        )
        return
    usual = statistics.median(counts)
    figures["usual rows"] = usual
    low, lost = view.values["health_low_volume"], view.values["health_lost_volume"]
    said += f", usually {usual:,.0f}"
    if usual < view.values["health_minimum_rows"]:
        yield Finding("volume", OK, f"{said}: too few to judge.", source, figures)
        return
    figures["share of usual"] = round(rows / usual, 3)
    severity = OK
    if rows < usual * lost:
        severity = ERROR
    elif rows < usual * low or rows > usual / low:
        severity = WARN
    yield Finding("volume", severity, f"{said}.", source, figures)


def _without_rate(source: str, days: list[date], rows: int) -> Finding:
    """However few, and however usual: a shop in another currency has no order at all."""
    sentence = (
        f"{rows:,} of the rows of {_span(days)} were refused for money in a currency without a "
        "rate: give currency_rates.csv the rate, or set the var reporting_currency."
    )
    return Finding("refused_rows", WARN, sentence, source, {"rows without a rate": rows})


def _all_refused(source: str, days: list[date], rows: int) -> Finding:
    """However few, and without a usual share: what a first file is wrong in, all its rows are."""
    sentence = (
        f"None of the {rows:,} rows of {_span(days)} was accepted; mart_event_audit has the "
        "reasons."
    )
    return Finding("refused_rows", WARN, sentence, source, {"refused share": 1})


def _span(days: list[date]) -> str:
    return str(days[-1]) if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _refused_rows(
    view: View, source: str, days: dict[date, tuple[int, int]], day: date
) -> Iterator[Finding]:
    since = day - timedelta(view.values["health_history_days"])
    before = [counts for other, counts in days.items() if since <= other < day]
    raw, refused = days[day]
    raw_before = sum(counts[0] for counts in before)
    if min(raw, raw_before) < view.values["health_minimum_rows"]:
        return
    share, usual = refused / raw, sum(counts[1] for counts in before) / raw_before
    figures = {"refused share": round(share, 4), "usual share": round(usual, 4)}
    sentence = f"{share:.1%} of the rows of {day} were refused, usually {usual:.1%}"
    if share - usual > view.values["health_refused_rise"]:
        sentence += "; mart_event_audit has the reasons."
        yield Finding("refused_rows", WARN, sentence, source, figures)
    else:
        yield Finding("refused_rows", OK, f"{sentence}.", source, figures)


def _value_version(
    view: View, first: date | None, newest: date | None, values_no_session: bool
) -> Finding:
    current = first_day_of_quarter(view.today)
    if newest is None and first is not None and first >= current:
        sentence = (
            f"Nothing happened before {current}, so there is no value version yet: configured "
            f"weights speak until that of {next_quarter(current)}."
        )
        return Finding("value_version", OK, sentence)
    if newest is None and first is None:
        sentence = (
            "No event has been accepted yet, so no value version can be written: configured "
            "weights speak."
        )
        return Finding("value_version", WARN, sentence)
    if newest is None:
        sentence = "There is no value version yet: configured weights speak. make quarterly."
        return Finding("value_version", WARN, sentence)
    figures = {"days in force": (view.today - newest).days}
    if newest >= current and values_no_session:
        sentence = (
            f"The version valid from {newest} values no session: no revenue before it came of "
            "sessions whose credit was settled by then, so expected revenue stays 0 until the "
            "next version."
        )
        return Finding("value_version", WARN, sentence, figures=figures)
    if newest >= current:
        sentence = f"The newest version is valid from {newest}, the quarter going on."
        return Finding("value_version", OK, sentence, figures=figures)
    missing = f"The newest version is valid from {newest}; the one of {current} is missing"
    if view.today < current + timedelta(view.values["health_version_grace_days"]):
        return Finding("value_version", OK, f"{missing}, and not late yet.", figures=figures)
    # a whole quarter without its version is more than a late run
    before = first_day_of_quarter(current - timedelta(1))
    severity = WARN if newest >= before else ERROR
    return Finding("value_version", severity, f"{missing}. make quarterly.", figures=figures)
