"""What came and when, and whether all of it was counted, by what the warehouse knows.

Belongs here: files set aside, freshness, columns, reconciliation. Does not belong here: what is
published of the same days (served.py).
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration.health.findings import ERROR, OK, WARN, Finding, duration
from orchestration.health.ledger import event_sources_of
from orchestration.health.view import View
from orchestration.landing.files import SET_ASIDE_FOLDER, LandingFile
from orchestration.one_line import in_short
from orchestration.sources import EVENT_SOURCES, SOURCES

# with fewer gaps between arrivals there is no usual one
FEWEST_GAPS = 2
LONGEST_NAME = 60


def of_arrivals(view: View) -> Iterator[Finding]:
    yield from _failed_loads(view)
    if view.ledger is None:
        return
    for source in SOURCES:
        days = view.ledger.arrivals.get(source)
        if days and (source not in EVENT_SOURCES or source in view.values["event_sources"]):
            yield _freshness(view, source, days)
            yield from _schema_drift(source, days)
    for source in event_sources_of(view.values, view.ledger):
        if source in view.ledger.rows:
            yield _reconciliation(source, *view.ledger.rows[source])


def usual_gap(days: list[list[Any]]) -> int | None:
    """Days from one arrival to the next that nine of ten gaps do not exceed, so that one outage
    does not excuse the next; None where there are too few. days: as in Ledger.arrivals."""
    arrived = [date.fromisoformat(day[0]) for day in days]
    gaps = sorted((b - a).days for a, b in itertools.pairwise(arrived))
    return gaps[math.ceil(0.9 * len(gaps)) - 1] if len(gaps) >= FEWEST_GAPS else None


def _freshness(view: View, source: str, days: list[list[Any]]) -> Finding:
    last = datetime.fromisoformat(days[-1][1])
    waited = max(0.0, (view.now - last).total_seconds() / 86400)
    said = f"Last arrival {last:%Y-%m-%d %H:%M} UTC, {duration(waited)} ago"
    figures = {"days since arrival": round(waited, 2), "arrival days": len(days)}
    usual = usual_gap(days)
    if usual is None:
        return Finding(
            "freshness", OK, f"{said}; too few arrivals to know what is usual.", source, figures
        )
    limit = usual * view.values["health_late_share"]
    figures["usual longest gap in days"] = usual
    expected = f"it usually comes within {duration(usual)}"
    if waited > 2 * limit:
        sentence = f"{said}, and {expected}. See whether its export still runs."
        return Finding("freshness", ERROR, sentence, source, figures)
    if waited > limit:
        return Finding("freshness", WARN, f"{said}, and {expected}.", source, figures)
    return Finding("freshness", OK, f"{said}; {expected}.", source, figures)


def _failed_loads(view: View) -> Iterator[Finding]:
    top = view.settings.landing / SET_ASIDE_FOLDER
    found = {source: sorted(_set_aside(top / source)) for source in SOURCES}
    for source, names in found.items():
        if not names:
            continue
        newest = view.ledger is not None and source in view.ledger.last_failed
        sentence = (
            f"{len(names)} of its files could not be landed: {in_short(names, LONGEST_NAME)}. "
            f"{'Nothing has landed since. ' * newest}The reason lies beside each in "
            f"{top / source}; mend or delete them there."
        )
        severity = ERROR if newest else WARN
        yield Finding("failed_loads", severity, sentence, source, {"files": len(names)})
    if not any(found.values()):
        yield Finding("failed_loads", OK, "No file is set aside.", figures={"files": 0})


def _set_aside(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.endswith(".reason.txt"):
                name = path.relative_to(folder).as_posix()
                yield LandingFile(folder.name, name, path).shown


def _schema_drift(source: str, days: list[list[Any]]) -> Iterator[Finding]:
    known = [(day, set(columns)) for day, *_, columns in days if columns]
    if len(known) < 2:
        return
    (day, newest), before = known[-1], [columns for _, columns in known[:-1]]
    appeared = sorted(newest - set.union(*before))
    # files of several kinds come on different days: only what was always there is missed
    vanished = sorted(set.intersection(*before) - newest) if len(before) > 1 else []
    figures = {"columns": len(newest), "appeared": len(appeared), "vanished": len(vanished)}
    if not appeared and not vanished:
        sentence = f"{len(newest)} columns, as before."
        yield Finding("schema_drift", OK, sentence, source, figures)
        return
    parts = [
        f"{what} {in_short(names, LONGEST_NAME)}"
        for what, names in (("new are", appeared), ("missing are", vanished))
        if names
    ]
    sentence = f"In the files that arrived on {day} {' and '.join(parts)}."
    yield Finding("schema_drift", WARN, sentence, source, figures)


def _reconciliation(
    source: str, raw: int, seen: int, accepted: int, duplicate: int, refused: int, gone: int
) -> Finding:
    figures = {
        "raw": raw,
        "accepted": accepted,
        "duplicate": duplicate,
        "refused": refused,
        "not built yet": raw - seen,
    }
    counted = accepted + duplicate + refused
    said = f"{accepted:,} accepted + {duplicate:,} duplicate + {refused:,} refused"
    waiting = f"; {raw - seen:,} more wait for the next run" if raw > seen else ""
    if seen <= counted <= seen + gone:
        by_age = f" and {counted - seen:,} that went by their age" if counted > seen else ""
        return Finding(
            "reconciliation", OK, f"{seen:,} raw rows{by_age} = {said}{waiting}.", source, figures
        )
    sentence = (
        f"{seen:,} raw rows, but {said} = {counted:,}. A full refresh counts them anew: "
        "intent-map backfill --all."
    )
    return Finding("reconciliation", ERROR, sentence, source, figures)
