"""Retention: raw rows that are older than policy wants to keep them.

Belongs here: which loads and refused rows are old, what their going means, the one rule for
building anew without them. Does not belong here: how rows leave raw (removal.py), rows of people
who want to be forgotten (erasure/).

What was built from a raw row stays when the row goes: sessions, values and marts are read from
tables of their own. Only building anew would need the row again, so that is refused until
somebody gives the old rows up; docs/adr/0024 says why.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration import removal
from orchestration.compaction import compact_warehouse
from orchestration.errors import IntentMapError, first_line
from orchestration.landing import RAW_TABLE, attach_sql, ledger
from orchestration.landing.files import SET_ASIDE_FOLDER, content_of, files_of
from orchestration.landing.warehouse import Warehouse
from orchestration.layout import layout_of
from orchestration.locking import writer_lock
from orchestration.one_line import in_short
from orchestration.policy import effective_vars
from orchestration.settings import Settings
from orchestration.sources import EVENT_SOURCES
from orchestration.sql_text import quoted

RAW_DAYS, REFUSED_DAYS = "raw_retention_days", "refused_retention_days"
RECEIPTS = "intermediate.int_event_receipts"
REASONS = {removal.RETIRED: RAW_DAYS, removal.REFUSED: REFUSED_DAYS}


@dataclass(frozen=True)
class Old:
    """Rows of one source and day of landing that go. reason: retired or refused."""

    reason: str
    source: str
    landed_on: date
    files: int
    rows: int


@dataclass(frozen=True)
class Retention:
    """What goes, or went: rows of raw, landed files, files set aside. unread: source → old rows
    that stay, since some model has not read them."""

    rows: list[Old]
    landing_files: list[Path]
    files_set_aside: list[Path]
    unread: dict[str, int]


def limits(settings: Settings) -> dict[str, int]:
    """Reason → days that rows are kept; without a limit it is left out."""
    values = effective_vars(settings)
    return {reason: values[name] for reason, name in REASONS.items() if values.get(name)}


def apply_retention(
    settings: Settings, *, dry_run: bool = False, report: Callable[[str], None] = print
) -> Retention:
    """Take out what is older than policy wants; with dry_run only say what that would be.

    Raises IntentMapError when the home cannot be used.
    """
    days = limits(settings)
    if not days:
        report(f"Nothing is limited: {RAW_DAYS} and {REFUSED_DAYS} are 0, so all rows are kept.")
        return Retention([], [], [], {})
    if not settings.warehouse.exists():
        report("There is no warehouse yet, so nothing is old.")
        return Retention([], [], [], {})
    with writer_lock(settings, "retention", report=report):
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        warehouse = Warehouse(settings, report)
        try:
            warehouse.open()
            found: list[Old] = []
            old_loads: set[int] = set()
            for reason, kept_days in days.items():
                before = now - timedelta(days=kept_days)
                loads = _name_rows(warehouse.con, reason, before, old_loads)
                found += _counted(warehouse.con, reason)
                old_loads |= loads
                if loads and not dry_run:
                    with removal.removal(warehouse, reason, now):
                        pass
            unread = {}
            if removal.RETIRED in days:
                before = now - timedelta(days=days[removal.RETIRED])
                unread = _unread(warehouse.con, before)
            # a run that was killed, or was refused the folder, left files of rows that had gone
            old_loads |= _gone_before(warehouse.con, days)
            landing_files = _landing_files(warehouse, old_loads)
        except duckdb.Error as error:
            raise IntentMapError(
                f"The warehouse {settings.warehouse} failed: {first_line(error)} What "
                "went before is gone as a whole; run again."
            ) from error
        finally:
            warehouse.close()
        aside = _files_set_aside(settings, days.get(removal.REFUSED), now)
        result = Retention(found, landing_files, aside, unread)
        _say(result, days, dry_run, effective_vars(settings)["event_sources"], report)
        if not dry_run:
            if found or landing_files:
                compact_warehouse(settings)
            _remove([*landing_files, *aside])
        return result


def give_up_retired_rows(settings: Settings, report: Callable[[str], None] = print) -> int:
    """Let the next night build everything anew although retired rows are missing then; returns how
    many these are. What was built from them goes with that night.

    Raises IntentMapError when the home cannot be used.
    """
    if not settings.warehouse.exists():
        report("There is no warehouse yet, so nothing is given up.")
        return 0
    with writer_lock(settings, "retention", report=report):
        try:
            with duckdb.connect(str(settings.warehouse)) as con:
                layout_of(con, settings)
                rows, newest = _retired(con)
                if rows:
                    con.begin()
                    con.execute(
                        "update raw.removals set reason = ? where reason = ?",
                        [removal.GIVEN_UP, removal.RETIRED],
                    )
                    removal.forget_rules(con)
                    con.commit()
        except duckdb.Error as error:
            raise IntentMapError(
                f"The warehouse {settings.warehouse} failed: {first_line(error)} Nothing "
                "was given up; run again."
            ) from error
        report(
            f"{rows:,} retired rows, landed up to {newest:%Y-%m-%d}, are given up: the next night "
            "builds everything anew from what raw still holds, and sessions, values and marts that "
            "came of them are lost with it. A backup made before brings them back."
            if rows
            else "No rows were retired, so nothing is given up."
        )
        return rows


def refuse_to_build_anew(settings: Settings, why: str) -> None:
    """Raise IntentMapError when building everything anew would lose what retired rows left.

    why: what asks for it, as a sentence.
    """
    if not settings.warehouse.exists():
        return
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows, newest = _retired(con)
    if rows:
        raise IntentMapError(
            f"{why} That needs every raw row, but {rows:,} rows landed up to {newest:%Y-%m-%d} "
            f"were retired ({RAW_DAYS}), and sessions, values and marts of their days would be "
            "lost. Put the rules back as they were, or put back a backup made before, or give "
            "these days up: `intent-map backup` first, then `intent-map retention --give-up`, then "
            "run again. Until then all tables and what is published stay as they are."
        )


def holds_retired_rows(settings: Settings) -> bool:
    """Whether tables hold what came of rows that raw has no more, so that they must stay."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return retired_rows(con) > 0


def say_what_counts_no_more(settings: Settings, report: Callable[[str], None]) -> None:
    """Before everything is built anew: refused rows that went are counted now, and will not be."""
    if not settings.warehouse.exists():
        return
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows = _refused_rows_counted(con, settings)
    if rows:
        report(
            f"{rows:,} refused rows that went ({REFUSED_DAYS}) leave mart_event_audit with that, "
            "and stay refused whatever the rules say now: raw has them no more."
        )


def _refused_rows_counted(con: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Receipts of refused rows that retention took; without a receipt they are not counted."""
    if not removal.is_there(con, "raw.removals") or not removal.is_there(con, RECEIPTS):
        return 0
    gone = con.execute(
        "select source, list(distinct load_id) from raw.removals where reason = ? group by source",
        [removal.REFUSED],
    ).fetchall()
    if gone:
        for statement in attach_sql(settings):
            con.execute(statement)
    rows = 0
    for source, loads in gone:
        (found,) = con.execute(
            f"select count(*) from {RECEIPTS} as held where source_system = ? "
            "and outcome = 'refused' and list_contains(?::bigint[], load_id) and not exists "
            f"(from raw.{quoted(RAW_TABLE[source])} as stays where "
            "stays.load_id = held.load_id and stays.row_number = held.row_number)",
            [source, loads],
        ).fetchone()
        rows += found
    return rows


def retired_rows(con: duckdb.DuckDBPyConnection) -> int:
    """How many rows are gone from raw while what was built from them stays."""
    return _retired(con)[0]


def _retired(con: duckdb.DuckDBPyConnection) -> tuple[int, datetime | None]:
    if not removal.is_there(con, "raw.removals"):
        return 0, None
    return con.execute(
        "select coalesce(sum(removals.row_count), 0)::bigint, max(loads.landed_at) "
        "from raw.removals as removals join raw.loads as loads using (load_id) "
        "where removals.reason = ?",
        [removal.RETIRED],
    ).fetchone()


def _name_rows(
    con: duckdb.DuckDBPyConnection, reason: str, before: datetime, but: Iterable[int]
) -> set[int]:
    """Fill the temporary table with the old rows that are still in raw, but for some loads; returns
    their loads."""
    removal.create_removed(con)
    # what the models have not seen yet stays, however old it is
    seen = _seen(con)
    refused = ""
    if reason == removal.REFUSED:
        if not removal.is_there(con, RECEIPTS):
            return set()
        refused = (
            f"join {RECEIPTS} as receipts on receipts.source_system = '{{source}}' "
            "and receipts.outcome = 'refused' and receipts.load_id = held.load_id "
            "and receipts.row_number = held.row_number "
        )
    for source in EVENT_SOURCES:
        con.execute(
            f"insert into {removal.REMOVED} select '{source}', held.load_id, held.row_number "
            f"from raw.{quoted(RAW_TABLE[source])} as held {refused.format(source=source)}"
            "where held.load_id in (select load_id from raw.loads where source = ? and status = ? "
            "and landed_at < ? and load_id <= ? and not list_contains(?::bigint[], load_id))",
            [source, ledger.LANDED, before, seen.get(source, 0), sorted(but)],
        )
    rows = con.execute(f"select distinct load_id from {removal.REMOVED}").fetchall()
    return {load for (load,) in rows}


def _seen(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Source → the last load that all models have read; without the sources that none reads."""
    if not removal.is_there(con, "raw.watermarks"):
        return {}
    return dict(
        con.execute(
            "select source_system, min(load_id) from raw.watermarks group by source_system"
        ).fetchall()
    )


def _unread(con: duckdb.DuckDBPyConnection, before: datetime) -> dict[str, int]:
    """Source → rows landed before then that some model has not read."""
    seen, rows = _seen(con), {}
    for source in EVENT_SOURCES:
        (rows[source],) = con.execute(
            f"select count(*) from raw.{quoted(RAW_TABLE[source])} where load_id in "
            "(select load_id from raw.loads where source = ? and status = ? and landed_at < ? "
            "and load_id > ?)",
            [source, ledger.LANDED, before, seen.get(source, 0)],
        ).fetchone()
    return {source: count for source, count in rows.items() if count}


def _gone_before(con: duckdb.DuckDBPyConnection, reasons: Iterable[str]) -> set[int]:
    """Loads of which rows went by these limits."""
    rows = con.execute(
        "select distinct load_id from raw.removals where list_contains(?::varchar[], reason)",
        [[*reasons]],
    ).fetchall()
    return {load for (load,) in rows}


def _remove(paths: Iterable[Path]) -> None:
    """Raises IntentMapError that names the files which cannot be removed, when all others are."""
    left = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            left.append(f"{path} ({error.strerror})")
    if left:
        raise IntentMapError(
            f"The rows are gone, but {_files(len(left))} cannot be removed: {in_short(left)}. Give "
            "this user the right to, or remove them yourself; the next run tries again."
        )


def _counted(con: duckdb.DuckDBPyConnection, reason: str) -> list[Old]:
    rows = con.execute(
        f"select gone.source, loads.landed_at::date, count(distinct load_id), count(*) "
        f"from {removal.REMOVED} as gone join raw.loads as loads using (load_id) "
        "group by all order by all"
    ).fetchall()
    return [Old(reason, *row) for row in rows]


def _landing_files(warehouse: Warehouse, loads: Iterable[int]) -> list[Path]:
    """Landed files, still lying there as they landed, of loads whose rows go, and their copies."""
    loads, found = set(loads), []
    for source in EVENT_SOURCES:
        known = ledger.read_known(warehouse.con, source)
        # what an erasure left of a landed file is known by the name alone
        landed = {n for n, load in known.with_rows_by_name.items() if load.load_id in loads}
        old = {h for h, load in known.with_rows_by_content.items() if load.load_id in loads}
        copies = {(name, digest) for name, digest in known.seen if digest in old}
        names = landed | {name for name, _ in copies}
        for file in files_of(warehouse.settings.landing, source):
            if file.shown not in names:
                continue
            with contextlib.suppress(OSError):
                held = (file.shown, content_of(file).sha256)
                if held in copies or (file.shown in landed and held in known.seen):
                    found.append(file.path)
    return found


def _files_set_aside(settings: Settings, days: int | None, now: datetime) -> list[Path]:
    """Files set aside before then, and their reasons, which were written that day."""
    if days is None:
        return []
    found: list[Path] = []
    before = (now - timedelta(days=days)).replace(tzinfo=UTC).timestamp()
    for note in sorted((settings.landing / SET_ASIDE_FOLDER).rglob("*.reason.txt")):
        if note.stat().st_mtime < before:
            file = note.with_name(note.name.removesuffix(".reason.txt"))
            found += [path for path in (file, note) if path.is_file()]
    return found


def _say(
    result: Retention,
    days: dict[str, int],
    dry_run: bool,
    event_sources: list[str],
    report: Callable[[str], None],
) -> None:
    for reason, kept_days in days.items():
        report(f"{REASONS[reason]} is {kept_days}.")
    for source, rows in result.unread.items():
        why = "" if source in event_sources else f", since event_sources does not name {source}"
        report(
            f"  {rows:,} rows of {source} are older than {RAW_DAYS} and stay: no night has read "
            f"them{why}."
        )
    would = "would go" if dry_run else "went"
    if not any((result.rows, result.landing_files, result.files_set_aside)):
        report("Nothing goes." if result.unread else "Nothing is older than that.")
        return
    for old in result.rows:
        report(
            f"  {old.landed_on} {old.source:<9} {old.rows:>12,} rows of {_files(old.files)} "
            f"{would} ({'all rows' if old.reason == removal.RETIRED else 'refused rows only'})"
        )
    report(
        f"  {_files(len(result.landing_files))} below landing/ and "
        f"{_files(len(result.files_set_aside))} of those set aside {would}."
    )
    if any(old.reason == removal.RETIRED for old in result.rows):
        report(
            "Sessions, conversions, values and marts of these rows stay, and late events still "
            "join them. But nothing can be built anew from these rows: a night that would have to, "
            "after a change of rules or an upgrade, stops and says so. intermediate.int_events no "
            "longer lists them."
        )
    if any(old.reason == removal.REFUSED for old in result.rows):
        report(
            "Refused rows stay counted, by reason, in mart_event_audit until everything is built "
            "anew, as after a change of rules, an upgrade or an erasure. A rule that would accept "
            "them, such as a rate for their currency, finds them no more."
        )


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"
