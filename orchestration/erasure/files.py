"""Files of the home without the rows of some people: landing files, files set aside, logs.

Belongs here: rewriting one file in its own format, and walking the home. Does not belong here: raw
tables and kept files (orchestration/removal.py), which people (people.py).

A row is theirs when its visitor or login is; a row of nobody's, such as a broken one, when it
mentions an id anywhere. What is not landed or holds no events, is judged by mention alone.
"""

import gzip
import io
import json
import re
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from orchestration.compaction import UNFINISHED as COMPACTING
from orchestration.compaction import clean_sqlite, is_sqlite
from orchestration.disk import to_disk
from orchestration.erasure.ids import Mentions, is_nobody
from orchestration.erasure.people import People, may_mention, visitor_of
from orchestration.errors import IntentMapError, first_line
from orchestration.landing import kept, ledger, mending, reading
from orchestration.landing.columns import Refused, match_columns
from orchestration.landing.declaration import column_name
from orchestration.landing.files import (
    FORMATS,
    SET_ASIDE_FOLDER,
    LandingFile,
    content_of,
)
from orchestration.landing.values import SourceColumn, cleaned_value
from orchestration.landing.warehouse import Candidate, Warehouse
from orchestration.settings import Settings
from orchestration.sources import LANDING_SOURCES, LandingSource
from orchestration.sql_text import literal, quoted

UNFINISHED = ".erasing"
STORAGE = "Dagster's storage"
# searched row by row, or written anew, by this erasure itself
NOT_WALKED = ("landing", "serving")
COMES_BACK = ("compiled", "run")
DATABASES = (".duckdb", ".parquet")
_STEP = re.compile(r"\[(\d+)\]|\.(\w+)")
_NO_TEXT = frozenset(range(32)) - set(b"\t\n\v\f\r\x1b")


@dataclass
class Erased:
    """What was done to files. rows: place → rows taken out. rewritten: how many files. removed:
    files that could not be read row by row, so they went as a whole. left: (file, why)."""

    rows: dict[str, int] = field(default_factory=dict)
    rewritten: int = 0
    removed: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, rows: int) -> None:
        if rows:
            self.rows[place] = self.rows.get(place, 0) + rows
            self.rewritten += 1


class CannotBeRead(Exception):  # noqa: N818 - a state of a file, not a fault
    """A file whose rows cannot be told from each other."""


def erase_from_landing(warehouse: Warehouse, people: People, erased: Erased) -> None:
    """Rewrite every file below landing/ that holds a row of theirs.

    A landed file's new content is noted in the ledger before the file is replaced, so that the next
    landing knows it.
    """
    landing = warehouse.settings.landing
    mentions = Mentions(people.ids.all)
    for path in sorted(landing.rglob("*")):
        if path.name.endswith(UNFINISHED):
            path.unlink()
        elif path.is_file() and not path.name.endswith(".reason.txt"):
            _erase_from_file(warehouse, path, people, mentions, erased)
        elif path.is_dir() and _leads_outside(warehouse.settings, path):
            shown = "/".join(path.relative_to(landing).parts)
            erased.left.append((shown, "it is a link to a folder outside the home"))
        elif path.is_symlink() and not path.exists():
            shown = "/".join(path.relative_to(landing).parts)
            erased.left.append((shown, "it is a link that leads nowhere now"))
    for path in sorted((landing / SET_ASIDE_FOLDER).rglob("*.reason.txt")):
        erased.add("reasons of files set aside", clean_text(path, mentions.taken_out_of))


def _leads_outside(settings: Settings, path: Path) -> bool:
    return not path.resolve().is_relative_to(settings.home.resolve())


def _erase_from_file(
    warehouse: Warehouse, path: Path, people: People, mentions: Mentions, erased: Erased
) -> None:
    landing = warehouse.settings.landing
    below = path.relative_to(landing).parts
    is_aside = below[0] == SET_ASIDE_FOLDER
    source, *names = below[1:] if is_aside else below
    if not names:
        # beside the sources' folders, where nothing is landed
        source, names = "", [path.name]
    shown = "/".join(below)
    file = LandingFile(source, "/".join(names), path)
    if _leads_outside(warehouse.settings, path):
        erased.left.append((shown, "it is a link to a file outside the home"))
        return
    # the file's own name may be as long as a name can be
    part = path.with_name(UNFINISHED)
    before = path.stat()
    try:
        rows = _write_without(warehouse.con, file, part, people, mentions, is_aside)
        if path.stat().st_mtime_ns != before.st_mtime_ns:
            raise OSError("it was written to meanwhile")
    except CannotBeRead as reason:
        part.unlink(missing_ok=True)
        if is_aside:
            path.unlink()
            erased.removed.append(f"{shown} ({reason})")
        else:
            erased.left.append((shown, str(reason)))
        return
    except OSError as error:
        part.unlink(missing_ok=True)
        erased.left.append((shown, error.strerror or str(error)))
        return
    if not rows:
        part.unlink(missing_ok=True)
        return
    shutil.copymode(path, part)
    to_disk(part)
    if not is_aside and source in LANDING_SOURCES:
        _note(warehouse, file, part)
    part.replace(path)
    to_disk(path.parent)
    erased.add("files set aside" if is_aside else f"landing/{source}", rows)


def _note(warehouse: Warehouse, file: LandingFile, part: Path) -> None:
    """Tell the ledger the new content of a landed file; one that has not landed is still to."""
    known = ledger.read_known(warehouse.con, file.source)
    if (file.shown, content_of(file).sha256) not in known.seen:
        return
    content = content_of(LandingFile(file.source, file.name, part))
    before = known.with_rows_by_name.get(file.shown)
    if (file.shown, content.sha256) in known.seen:
        return
    warehouse.write_load(
        Candidate(file, content, warehouse.take_load_id()),
        ledger.DUPLICATE,
        reason="rows of erased people were taken out of the landed file"
        + (f" (load {before.load_id})" if before else ""),
    )


def _write_without(
    con: duckdb.DuckDBPyConnection,
    file: LandingFile,
    part: Path,
    people: People,
    mentions: Mentions,
    is_aside: bool,
) -> int:
    """Write the file to `part` without their rows; returns how many those are."""
    kind = FORMATS.get(file.suffix or "")
    if kind == "parquet":
        return _write_parquet_without(con, file, part, mentions, is_aside)
    try:
        encoding = _encoding(file, is_aside)
        rule = _rule(file, kind, encoding, people, mentions, is_aside)
        with (
            _text(file, "rb", file.path, encoding) as lines,
            _text(file, "wb", part, encoding) as out,
        ):
            removed = 0
            for record, is_theirs in rule(_bounded(lines)):
                removed += is_theirs
                if not is_theirs:
                    out.write(record)
        return removed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CannotBeRead("it is no whole gzip file") from error
    except Refused as error:
        raise CannotBeRead(str(error)) from error


def _bounded(opened: io.TextIOWrapper) -> Iterator[str]:
    while line := opened.readline(mending.LONGEST_LINE):
        if len(line) == mending.LONGEST_LINE and line[-1] not in "\r\n":
            raise CannotBeRead(f"a line of it has {mending.LONGEST_LINE:,} characters and more")
        yield line


def _encoding(file: LandingFile, is_aside: bool) -> str:
    with _binary(file, "rb", file.path) as opened:
        head = opened.read(4096)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16-le" if head[:2] == b"\xff\xfe" else "utf-16-be"
    # landing reads what has such an ending and source as text, whatever its bytes
    is_read_as_text = not is_aside and file.suffix and file.source in LANDING_SOURCES
    if not is_read_as_text and any(byte in _NO_TEXT for byte in head):
        raise CannotBeRead("it is no text")
    return "utf-8"


def _binary(file: LandingFile, mode: str, path: Path) -> io.BufferedIOBase:
    return gzip.open(path, mode) if file.is_gzip else path.open(mode)


def _text(file: LandingFile, mode: str, path: Path, encoding: str) -> io.TextIOWrapper:
    # bytes that are no text come back as they were
    return io.TextIOWrapper(
        _binary(file, mode, path),
        encoding=encoding,
        errors="surrogateescape" if encoding == "utf-8" else "surrogatepass",
        newline=_line_end(file, encoding) if mode == "rb" else "",
    )


def _line_end(file: LandingFile, encoding: str) -> str:
    if encoding != "utf-8" or FORMATS.get(file.suffix or "") != "csv":
        return "\n"
    # only where a lone carriage return ends the header does it end rows
    return mending.line_end(file)


Rule = Callable[[Iterable[str]], Iterator[tuple[str, bool]]]


def _rule(
    file: LandingFile,
    kind: str | None,
    encoding: str,
    people: People,
    mentions: Mentions,
    is_aside: bool,
) -> Rule:
    """From the lines of a file to its records, and whether each is theirs."""
    source = LANDING_SOURCES.get(file.source)
    by_columns = source is not None and not is_aside and encoding == "utf-8"
    if by_columns and kind == "csv":
        header = mending.read_header(file, source.needed)
        return lambda lines: _csv_records(file.source, lines, header, people, mentions)
    if by_columns and kind == "json":
        return lambda lines: (
            (line, _is_theirs(file.source, _json_fields(file.source, line), line, people, mentions))
            for line in lines
        )
    return lambda lines: ((line, mentions.mentioned_in(line)) for line in lines)


def _csv_records(
    source: str, lines: Iterable[str], header: mending.Header, people: People, mentions: Mentions
) -> Iterator[tuple[str, bool]]:
    names = [column_name(source, name) for name in header.columns]
    is_header = True
    for record, fields in mending.records_with_text(lines, header.delimiter, len(names)):
        if is_header and record.strip():
            is_header = False
            yield record, False
            continue
        named = dict(zip(names, fields, strict=True)) if fields else None
        yield record, _is_theirs(source, named, record, people, mentions)


def _json_fields(source: str, line: str) -> dict[str, str] | None:
    """The texts and numbers of a JSON object as landing reads them; None when it is none."""
    try:
        found = json.loads(
            line, parse_int=str, parse_float=lambda number: number.removesuffix(".0")
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    fields = {column_name(source, name): value for name, value in found.items()}
    entity, _ = LANDING_SOURCES[source].entity or ("", ())
    if entity in fields and not isinstance(fields[entity], str):
        fields[entity] = json.dumps(fields[entity])
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _is_theirs(
    source: str, fields: dict[str, str] | None, text: str, people: People, mentions: Mentions
) -> bool:
    known = LANDING_SOURCES[source]
    if fields is not None and not known.holds_events:
        order = fields.get("order_id", "").strip(" ")
        if order in people.orders_of_others:
            return False
        return order in people.orders or mentions.mentioned_in(text)
    if fields is not None:
        if known.user and fields.get(known.user, "").strip() in people.ids.users:
            return True
        given = (name.strip() for name in _names(known, fields))
        visitor = next((name for name in given if not is_nobody(name)), None)
        if visitor is not None:
            return visitor in people.ids.visitors
    return mentions.mentioned_in(text)


def _names(source: LandingSource, fields: dict[str, str]) -> Iterator[str]:
    """What the row says of its visitor, in the order in which visitor_of asks raw for it."""
    first, others = source.visitor[:1], source.visitor[1:]
    for name in first:
        yield fields.get(name, "")
    if source.entity:
        column, paths = source.entity
        try:
            entity = json.loads(fields.get(column) or "null", parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            entity = None
        for path in paths:
            yield _text_at(entity, path)
    for name in others:
        yield fields.get(name, "")


def _text_at(value: Any, path: str) -> str:
    """The text at a JSON path such as $[0].userId, else an empty one."""
    for number, name in _STEP.findall(path):
        try:
            value = value[int(number)] if number else value[name]
        except (IndexError, KeyError, TypeError):
            return ""
    return value if isinstance(value, str) else ""


def _write_parquet_without(
    con: duckdb.DuckDBPyConnection,
    file: LandingFile,
    part: Path,
    mentions: Mentions,
    is_aside: bool,
) -> int:
    rows = reading.parquet_in_order([str(file.path)])
    try:
        found = con.sql(f"select * from {rows}")
        columns = [
            SourceColumn(name, quoted(name), kind)
            for name, kind in zip(found.columns, found.types, strict=True)
        ]
        theirs, without_visitor = _parquet_conditions(file.source, columns, is_aside)
        numbered = f"select *, row_number() over () as __row from {rows}"
        gone = {row for (row,) in con.execute(
            f"select __row from ({numbered}) where {theirs}"
        ).fetchall()}  # fmt: skip
        if not mentions.looks_for_nothing:
            whole = ", ".join(column.sql for column in columns)
            texts = con.execute(
                f"select __row, text from (select __row, cast(to_json(row({whole})) as varchar) "
                f"as text from ({numbered}) where {without_visitor}) where {may_mention('text')}",
                mentions.first_look,
            ).fetchall()
            gone |= {row for row, text in texts if mentions.mentioned_in(text)}
        if gone:
            con.execute(
                "create or replace temp table erased_rows as select unnest(?::bigint[]) as __row",
                [sorted(gone)],
            )
            con.execute(
                f"copy (select * exclude (__row) from ({numbered}) where __row not in "
                f"(from erased_rows) order by __row) to {literal(str(part))} "
                "(format parquet, compression zstd)"
            )
        return len(gone)
    except Refused as error:
        raise CannotBeRead(str(error)) from error
    except duckdb.Error as error:
        raise CannotBeRead(f"it is no Parquet file that can be read: "
                           f"{first_line(error)[:80]}") from error  # fmt: skip


def _parquet_conditions(
    source: str, columns: list[SourceColumn], is_aside: bool
) -> tuple[str, str]:
    """SQL: a row is theirs by its columns; a row names no visitor, so that mention decides."""
    known = LANDING_SOURCES.get(source)
    if known is None or is_aside:
        return "false", "true"
    declared = match_columns(source, columns).declared
    if not known.holds_events:
        order = declared.get("order_id")
        if order is None:
            return "false", "true"
        number = f"trim({cleaned_value(order, True)})"
        is_of_others = f"coalesce({number} in (from orders_of_others), false)"
        return f"{number} in (from erased_orders)", f"not {is_of_others}"
    texts = {name: cleaned_value(column, True) for name, column in declared.items()}
    visitor = visitor_of(source, lambda name: texts.get(name, "cast(null as varchar)"))
    user = texts.get(known.user, "null")
    theirs = f"{visitor} in (from erased_visitors) or trim({user}) in (from erased_users)"
    return theirs, f"{visitor} is null"


def erase_from_traces(settings: Settings, mentions: Mentions, erased: Erased) -> None:
    """Take the ids out of whatever else lies in the home: logs, notes, Dagster's own storage.

    Raises IntentMapError when another program keeps a database busy: raw still tells by then who
    belongs to an id, so the same command again finds all of them.
    """
    for clock in (settings.home / "dbt").glob("*"):
        for name in COMES_BACK:
            shutil.rmtree(clock / name, ignore_errors=True)
    warehouse = settings.warehouse.parent
    # of a restore that was killed
    shutil.rmtree(settings.restoring, ignore_errors=True)
    cannot_be_searched: Counter[str] = Counter()
    for path in sorted(settings.home.rglob("*")):
        below = path.relative_to(settings.home)
        if below.parts[0] in NOT_WALKED or path.is_symlink() or not path.is_file():
            continue
        if path.is_relative_to(warehouse) and _is_of_the_warehouse(settings, path):
            continue
        if path.is_relative_to(settings.replaced) or path.suffix in DATABASES:
            cannot_be_searched[_top(settings, path)] += 1
            continue
        try:
            if is_sqlite(path):
                erased.add(STORAGE, clean_sqlite(path, mentions.taken_out_of_record))
            elif not path.name.endswith(("-wal", "-shm")):
                erased.add("logs and notes", clean_text(path, mentions.taken_out_of_record))
        except UnicodeDecodeError:
            # dbt's parsed projects hold no rows
            if below.parts[0] != "dbt":
                cannot_be_searched[_top(settings, path)] += 1
        except sqlite3.OperationalError as error:
            raise IntentMapError(
                f"{path} cannot be cleaned ({error}). Run the same command again when no other "
                "program uses it; until then the raw rows stay, since they tell whom to look for."
            ) from error
        except (OSError, sqlite3.Error) as error:
            erased.left.append((str(below), str(error)))
    erased.left += [
        (name, f"{files:,} file{'s' * (files > 1)} that cannot be searched, such as copies")
        for name, files in cannot_be_searched.items()
    ]


def _is_of_the_warehouse(settings: Settings, path: Path) -> bool:
    """Whether it is what removal and compaction write anew, rather than somebody's copy."""
    warehouse = settings.warehouse
    first = path.relative_to(warehouse.parent).parts[0]
    return first in (kept.FOLDER, "spill", warehouse.name) or first.startswith(
        (f"{warehouse.name}.wal", f"{warehouse.name}{COMPACTING}")
    )


def _top(settings: Settings, path: Path) -> str:
    """What to look at as a whole: a folder of the home, one of replaced/, or a file."""
    is_below = any(map(path.is_relative_to, (settings.replaced, settings.warehouse.parent)))
    return "/".join(path.relative_to(settings.home).parts[: 2 if is_below else 1])


def clean_text(path: Path, cleaned: Callable[[str], str]) -> int:
    """Pass each line of a text file through `cleaned`, or a JSON file as a whole, in place, since
    somebody may be writing to its end; returns how many lines, or files, changed. Raises
    UnicodeDecodeError when it is no text."""
    is_whole = path.suffix == ".json"
    with path.open("r", encoding="utf-8", newline="") as file:
        lines = [file.read()] if is_whole else file
        changed = sum(cleaned(line) != line for line in lines)
    if changed:
        text = path.read_bytes().decode("utf-8")
        lines = [text] if is_whole else text.splitlines(keepends=True)
        with path.open("r+b") as file:
            file.write("".join(cleaned(line) for line in lines).encode())
            file.truncate()
        to_disk(path)
    return changed
