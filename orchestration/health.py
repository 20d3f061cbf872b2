"""How things stand, at a glance: attached tables, arrivals, volume, refusals, columns, version,
publish, page, disk, erasures.

Belongs here: what is looked at, from when on it is a warning or an error, and its sentence.
Does not belong here: showing it (cli.py prints it, defs/health.py makes checks of it).

Looking never waits and never stands in a writer's way. What is published is read from the served
file. The list of loads is in the warehouse, which a writer keeps for itself: then the note of it
that the last look left in the home is taken, and the findings say how old it is.
"""

import contextlib
import itertools
import json
import math
import shutil
import statistics
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.erasure import FOLDER as ERASURES
from orchestration.erasure import UNFINISHED as UNFINISHED_ERASURE
from orchestration.errors import IntentMapError, first_line
from orchestration.landing import RAW_TABLE, attach_sql, attached_sources
from orchestration.landing.attached import see_to_it
from orchestration.landing.files import SET_ASIDE_FOLDER, LandingFile
from orchestration.landing.ledger import day_of
from orchestration.layout import layout_of
from orchestration.locking import HeldError, missing_warehouse, writer_lock
from orchestration.one_line import in_short
from orchestration.policy import effective_vars
from orchestration.publishing import PARQUET_LINK
from orchestration.quarters import first_day_of_quarter, next_quarter
from orchestration.removal import REFUSED, RETIRED, is_there
from orchestration.settings import DASHBOARD_FILE, MANIFEST_FILE, SERVING_FILE, Settings
from orchestration.sources import EVENT_SOURCES, SOURCES

OK, WARN, ERROR = "ok", "warn", "error"
SEVERITIES = (OK, WARN, ERROR)
NOTE_FILE = "health.json"

# with fewer gaps between arrivals, or weekdays, there is no usual one
FEWEST_GAPS = 2
FEWEST_WEEKDAYS = 3
LONGEST_NAME = 60
WIDTH = 100

# name of a check -> what it says when all is well
CHECKS = {
    "warehouse": "The warehouse file can be read.",
    "attached": "Every table that is read in another database is there.",
    "freshness": "Every source in use brought something within its usual time.",
    "failed_loads": "No file lies in the folder of what could not be landed.",
    "schema_drift": "The newest files have the columns that the files before them had.",
    "volume": "The last whole day has about as many events as the same weekday before.",
    "refused_rows": "Of the last whole day no larger share of rows was refused than usual.",
    "reconciliation": "Every raw row is accepted, duplicate or refused, and nothing else.",
    "value_version": "The value version of the quarter that is going on is there.",
    "publish": "The served file is whole and not older than a night.",
    "dashboard": "The page is there and not older than what is served.",
    "disk": "There is room for the next run.",
    "erasure": "No erasure was left before its end.",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. name: one of CHECKS, or writer; subject: the source, where it is one."""

    name: str
    severity: str
    sentence: str
    subject: str = ""
    figures: dict[str, float | int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} {self.subject}".strip()


@dataclass
class Ledger:
    """What the warehouse knows of arrivals. read_at, and all times: ISO 8601, UTC.

    arrivals: source → its arrival days, newest last, each [day, last moment, files, rows, columns].
    last_failed: sources whose newest load was set aside. rows: source → [raw, raw that the models
    have seen, accepted, duplicate, refused, gone by their age].
    """

    read_at: str
    arrivals: dict[str, list[list[Any]]] = field(default_factory=dict)
    last_failed: list[str] = field(default_factory=list)
    rows: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def from_note(cls, text: str) -> "Ledger":
        """What a look before noted; raises ValueError where the text is no such note."""
        try:
            ledger = cls(**json.loads(text))
            moments = [ledger.read_at]
            for days in ledger.arrivals.values():
                for day, moment, files, rows, columns in days:
                    date.fromisoformat(day)
                    moments.append(moment)
                    _of_kind(int, files, rows)
                    _of_kind(str, *columns)
            _of_kind(list, ledger.last_failed)
            for counts in ledger.rows.values():
                _raw, _seen, _accepted, _duplicate, _refused, _gone = counts
                _of_kind(int, *counts)
            if any(datetime.fromisoformat(moment).tzinfo for moment in moments):
                raise ValueError("a moment has a zone")
        except (AttributeError, TypeError) as error:
            raise ValueError("its parts are not those of a note") from error
        return ledger


def _of_kind(kind: type, *values: object) -> None:
    if not all(type(value) is kind for value in values):
        raise TypeError(f"not {kind.__name__}")


@dataclass(frozen=True)
class View:
    """What all checks look at. now: UTC, without zone; run_id: as of look."""

    settings: Settings
    values: dict[str, Any]
    now: datetime
    ledger: Ledger | None
    run_id: str | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.values["reporting_time_zone"])

    @property
    def today(self) -> date:
        return self.now.replace(tzinfo=UTC).astimezone(self.zone).date()


def look(
    settings: Settings, now: datetime | None = None, run_id: str | None = None
) -> list[Finding]:
    """All findings, in the order of CHECKS; reads only, apart from the note that it leaves.

    run_id: the run that looks, which may write the page only after that.
    Raises IntentMapError when the served file cannot be read at all.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    ledger, of_warehouse = _ledger(settings, now)
    view = View(settings, effective_vars(settings), now, ledger, run_id)
    findings = [
        *_of_attached(view),
        *_of_arrivals(view),
        *_of_served_tables(view),
        *_of_publish(view),
        *_of_disk(view),
        *_of_erasures(view),
    ]
    order = list(CHECKS)
    findings.sort(key=lambda finding: order.index(finding.name))
    return [*of_warehouse, *findings]


def worst(findings: Sequence[Finding]) -> str:
    """The highest severity among them."""
    return max((finding.severity for finding in findings), key=SEVERITIES.index, default=OK)


def as_table(findings: Sequence[Finding]) -> list[str]:
    """The findings as lines of text: state, what was looked at, the sentence."""
    titles = max(len(finding.title) for finding in findings)
    indent = " " * (titles + 8)
    lines = []
    for finding in findings:
        head = f"{finding.severity:<5} {finding.title:<{titles}}  "
        lines += textwrap.wrap(
            finding.sentence, WIDTH, initial_indent=head, subsequent_indent=indent
        )
    counted = {severity: 0 for severity in SEVERITIES}
    for finding in findings:
        counted[finding.severity] += 1
    errors, warnings = counted[ERROR], counted[WARN]
    return [
        *lines,
        "",
        f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}, "
        f"{counted[OK]} well.",
    ]


def _ledger(settings: Settings, now: datetime) -> tuple[Ledger | None, list[Finding]]:
    """What the warehouse knows, or the note of it and a finding that says so."""
    if not settings.warehouse.exists():
        why = missing_warehouse(settings)
        return _from_note(settings, "warehouse", ERROR, why) if why else (None, [])
    try:
        # the lock is only tried: who looks must not wait, and must not make a run wait for long
        with writer_lock(settings, "looking at the health", 0, report=lambda _: None):
            ledger = _read_ledger(settings, now)
    except HeldError as held:
        return _from_note(settings, "writer", OK, str(held).split(", still after")[0])
    except IntentMapError as error:
        return _from_note(settings, "warehouse", ERROR, str(error))
    except (duckdb.Error, OSError) as error:
        why = f"The warehouse cannot be read: {first_line(error)}"
        return _from_note(settings, "warehouse", ERROR, why)
    with contextlib.suppress(OSError):
        part = settings.home / f"{NOTE_FILE}.unfinished"
        part.write_text(json.dumps(asdict(ledger)), encoding="utf-8")
        part.replace(settings.home / NOTE_FILE)
    return ledger, [Finding("warehouse", OK, CHECKS["warehouse"])]


def _from_note(
    settings: Settings, name: str, severity: str, why: str
) -> tuple[Ledger | None, list[Finding]]:
    why = why.rstrip(".")
    try:
        ledger = Ledger.from_note((settings.home / NOTE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, [Finding(name, severity, f"{why}. Arrivals are shown when that is over.")]
    read_at = datetime.fromisoformat(ledger.read_at)
    known = f"Arrivals are those known at {read_at:%Y-%m-%d %H:%M} UTC."
    return ledger, [Finding(name, severity, f"{why}. {known}")]


def _read_ledger(settings: Settings, now: datetime) -> Ledger:
    values = effective_vars(settings)
    ledger = Ledger(now.isoformat(timespec="seconds"))
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        # every other command refuses a newer one
        layout_of(con, settings)
        try:
            rows = con.execute(ARRIVALS, [values["reporting_time_zone"]]).fetchall()
            failed = con.execute(LAST_FAILED).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            # nothing landed yet, or not since the upgrade that notes arrivals
            return ledger
        for source, day, moment, files, count, columns in rows:
            days = ledger.arrivals.setdefault(source, [])
            days.append([day.isoformat(), moment.isoformat(), files, int(count), columns])
        for source, days in ledger.arrivals.items():
            since = date.fromisoformat(days[-1][0]) - timedelta(values["health_history_days"])
            ledger.arrivals[source] = [d for d in days if d[0] >= since.isoformat()]
        ledger.last_failed = [source for (source,) in failed]
        for source in _event_sources(values, ledger):
            with contextlib.suppress(duckdb.Error, IntentMapError):
                ledger.rows[source] = _reconciled(con, settings, source)
    return ledger


# what an attached table brought is an arrival too
ARRIVALS = f"""
    select
        source,
        {day_of("coalesce(arrived_at, landed_at)")} as day,
        max(coalesce(arrived_at, landed_at)) as moment,
        count(*) as files,
        sum(row_count) as row_count,
        list_sort(list_distinct(flatten(list(coalesce(file_columns, []))))) as columns
    from raw.loads
    where status in ('landed', 'attached') and row_count > 0
    group by source, day
    order by source, day
"""
LAST_FAILED = """
    select source from raw.loads group by source
    having arg_max(status, load_id) filter (where status in ('landed', 'set_aside')) = 'set_aside'
"""


def _reconciled(con: duckdb.DuckDBPyConnection, settings: Settings, source: str) -> list[int]:
    for statement in attach_sql(settings):
        if f"attached_{source} " in statement:
            con.execute(statement)
    (seen,) = con.execute(
        "select coalesce(max(load_id), -1) from raw.watermarks "
        "where model = 'int_event_counts' and source_system = ?",
        [source],
    ).fetchone()
    raw = con.execute(
        f"select count(*), count(*) filter (where load_id <= ?) from raw.{RAW_TABLE[source]}",
        [seen],
    ).fetchone()
    # a data test holds the counts to the receipts, which would be read whole here
    counted = con.execute(
        "select coalesce(sum(events) filter (where outcome = 'accepted'), 0), "
        "coalesce(sum(events) filter (where outcome = 'duplicate'), 0), "
        "coalesce(sum(events) filter (where outcome = 'refused'), 0) "
        "from intermediate.int_event_counts where source_system = ?",
        [source],
    ).fetchone()
    return [*raw, *map(int, counted), _gone_by_age(con, source, seen)]


def _gone_by_age(con: duckdb.DuckDBPyConnection, source: str, seen: int) -> int:
    """Rows that retention took: they stay counted until everything is built anew."""
    if not is_there(con, "raw.removals"):
        return 0
    (gone,) = con.execute(
        "select coalesce(sum(row_count), 0) from raw.removals "
        "where source = ? and reason in (?, ?) and load_id <= ?",
        [source, RETIRED, REFUSED, seen],
    ).fetchone()
    return int(gone)


def _event_sources(values: dict[str, Any], ledger: Ledger) -> list[str]:
    return [s for s in EVENT_SOURCES if s in values["event_sources"] and s in ledger.arrivals]


def _of_arrivals(view: View) -> Iterator[Finding]:
    yield from _failed_loads(view)
    if view.ledger is None:
        return
    for source in SOURCES:
        days = view.ledger.arrivals.get(source)
        if days and (source not in EVENT_SOURCES or source in view.values["event_sources"]):
            yield _freshness(view, source, days)
            yield from _schema_drift(source, days)
    for source in _event_sources(view.values, view.ledger):
        if source in view.ledger.rows:
            yield _reconciliation(source, *view.ledger.rows[source])


def _freshness(view: View, source: str, days: list[list[Any]]) -> Finding:
    last = datetime.fromisoformat(days[-1][1])
    waited = max(0.0, (view.now - last).total_seconds() / 86400)
    arrived = [date.fromisoformat(day[0]) for day in days]
    gaps = sorted((b - a).days for a, b in itertools.pairwise(arrived))
    said = f"Last arrival {last:%Y-%m-%d %H:%M} UTC, {_duration(waited)} ago"
    figures = {"days since arrival": round(waited, 2), "arrival days": len(arrived)}
    if len(gaps) < FEWEST_GAPS:
        return Finding(
            "freshness", OK, f"{said}; too few arrivals to know what is usual.", source, figures
        )
    # nine of ten gaps are not longer: one outage must not excuse the next
    usual = gaps[math.ceil(0.9 * len(gaps)) - 1]
    limit = usual * view.values["health_late_share"]
    figures["usual longest gap in days"] = usual
    expected = f"it usually comes within {_duration(usual)}"
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


def _of_served_tables(view: View) -> Iterator[Finding]:
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
        raise IntentMapError(
            f"{served} cannot be read: {first_line(error).rstrip('.!')}. intent-map publish writes "
            "it anew."
        ) from error


DAYS = """
    select source_system, date, sum(raw), sum(refused), sum(refused_currency_without_rate)
    from marts.mart_event_audit
    group by source_system, date
    order by source_system, date
"""
FIRST_DAY = "select min(date) from marts.mart_event_audit where raw > refused"
# a name in parentheses stands for the configured weights, in force before any version. Sessions
# have no value where acts have one, but none of them adds anything to a session
NEWEST_VERSION = """
    select valid_from, max(value) > 0 and coalesce(max(abs(incremental_value)), 0) = 0
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
        if told:
            yield _without_rate(source, told, sum(unrated[source, day] for day in told))
        elif nothing:
            yield _all_refused(source, lately, sum(days[day][0] for day in lately))
        if len(filled) > 1:
            # the newest day is one that may still be coming in
            yield from _volume(view, source, days, filled[-2], filled[0])
            if not nothing:
                yield from _refused_rows(view, source, days, filled[-2])


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


def _of_publish(view: View) -> Iterator[Finding]:
    manifest = view.settings.serving / MANIFEST_FILE
    try:
        published = json.loads(manifest.read_text(encoding="utf-8"))
        moment = datetime.fromisoformat(published["published_at"]).astimezone(UTC)
        size = published["serving_bytes"]
        found = (view.settings.serving / SERVING_FILE).stat().st_size
    except FileNotFoundError:
        yield Finding("publish", WARN, "Nothing is published yet. make nightly.")
        return
    except (OSError, ValueError, KeyError, TypeError):
        yield Finding("publish", ERROR, f"{manifest} cannot be read. intent-map publish.")
        return
    hours = max(0.0, (view.now.replace(tzinfo=UTC) - moment).total_seconds() / 3600)
    figures = {"hours since publish": round(hours, 2), "bytes": found}
    said = f"Published {moment:%Y-%m-%d %H:%M} UTC, {_duration(hours / 24)} ago"
    if found != size:
        # a look between two renames of a publish sees this for an instant
        sentence = f"{said}, but the served file is not the one of that manifest. Look again soon."
        yield Finding("publish", WARN, sentence, figures=figures)
        return
    limit = view.values["health_publish_hours"]
    severity = ERROR if hours > 2 * limit else WARN if hours > limit else OK
    hint = "" if severity == OK else " See why no run succeeded since."
    yield Finding("publish", severity, f"{said}.{hint}", figures=figures)
    yield _dashboard(view, moment, published.get("run_id"))


def _dashboard(view: View, published_at: datetime, run_id: str | None) -> Finding:
    """The page over what was published at that moment, by that run."""
    if view.run_id is not None and view.run_id == run_id:
        return Finding("dashboard", OK, "The run that published writes the page as well.")
    page = view.settings.serving / DASHBOARD_FILE
    hint = "Unless a run is at work, intent-map dashboard writes it."
    try:
        written = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    except OSError:
        return Finding("dashboard", WARN, f"The page {page} is not there. {hint}")
    if written < published_at:
        sentence = f"The page is of {written:%Y-%m-%d %H:%M} UTC, older than what is published."
        return Finding("dashboard", WARN, f"{sentence} {hint}")
    return Finding("dashboard", OK, CHECKS["dashboard"])


def _of_attached(view: View) -> Iterator[Finding]:
    for source, entry in attached_sources(view.settings).items():
        severity, sentence = OK, f"{entry.shown} can be read."
        try:
            see_to_it(entry)
        except HeldError as held:
            sentence = str(held)
        except IntentMapError as error:
            severity, sentence = ERROR, str(error)
        yield Finding("attached", severity, sentence, source)


def _of_disk(view: View) -> Iterator[Finding]:
    settings = view.settings
    if not settings.home.exists():
        return
    free = shutil.disk_usage(settings.home).free
    warehouse = _size(settings.warehouse.parent)
    served = _size(settings.serving / SERVING_FILE) + _size(settings.serving / PARQUET_LINK)
    needed = warehouse + served
    figures = {"free bytes": free, "warehouse bytes": warehouse, "served bytes": served}
    said = (
        f"{_bytes(free)} free; a full refresh and a publish can need {_bytes(needed)} "
        f"(warehouse {_bytes(warehouse)}, served {_bytes(served)})"
    )
    if free < needed:
        yield Finding("disk", ERROR, f"{said}. Make room before the next run.", figures=figures)
    elif free < needed * view.values["health_disk_share"]:
        yield Finding("disk", WARN, f"{said}.", figures=figures)
    else:
        yield Finding("disk", OK, f"{said}.", figures=figures)


def _of_erasures(view: View) -> Iterator[Finding]:
    try:
        seconds = (view.settings.home / ERASURES / UNFINISHED_ERASURE).stat().st_mtime
    except OSError:
        yield Finding("erasure", OK, CHECKS["erasure"])
        return
    yield Finding(
        "erasure",
        WARN,
        f"The erasure that began {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC has not "
        "ended. Unless it is at work, run `intent-map erase-user` again with the same file: until "
        "it ends, files of the home may still hold these people.",
    )


def _size(path: Path) -> int:
    total = 0
    for one in [path] if path.is_file() else path.rglob("*"):
        # what a running publish takes away meanwhile does not count
        with contextlib.suppress(OSError):
            total += one.stat().st_size if one.is_file() else 0
    return total


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "KB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _duration(days: float) -> str:
    hours = days * 24
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{days:.0f} days"
