"""What the warehouse knows of arrivals, and the note of it that each look leaves in the home.

Belongs here: reading both. Does not belong here: judging what they say (arrivals.py).
"""

import contextlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.health.findings import CHECKS, ERROR, OK, Finding
from orchestration.landing import RAW_TABLE, attach_sql
from orchestration.landing.ledger import day_of
from orchestration.layout import layout_of
from orchestration.locking import HeldError, missing_warehouse, writer_lock
from orchestration.policy import effective_vars
from orchestration.removal import REFUSED, RETIRED, is_there
from orchestration.settings import Settings
from orchestration.sources import EVENT_SOURCES

NOTE_FILE = "health.json"


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


def ledger_of(settings: Settings, now: datetime) -> tuple[Ledger | None, list[Finding]]:
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
        for source in event_sources_of(values, ledger):
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


def event_sources_of(values: dict[str, Any], ledger: Ledger) -> list[str]:
    return [s for s in EVENT_SOURCES if s in values["event_sources"] and s in ledger.arrivals]
