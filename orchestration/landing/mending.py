"""Takes a damaged text file apart, row by row, so that one bad row costs one row.

Belongs here: CSV rows with a wrong number of fields or a quote that is never closed, lines that are
no JSON, bytes that are not UTF-8, records longer than the reader's limit. The result is a clean
CSV file that reading.py reads like any other.
Does not belong here: whole files, which DuckDB reads by itself and faster.
"""

import csv
import gzip
import io
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.landing.columns import NOT_UTF8, Refused
from orchestration.landing.files import LandingFile
from orchestration.one_line import one_line

# a record that runs on for longer than this is a quote that was never closed
LONGEST_RECORD = 64 * 1024 * 1024
# a line that runs on for longer is no row, and would take the memory of the machine
LONGEST_LINE = 2 * LONGEST_RECORD
SKIPPED_AT_ONCE = 1 << 20
# more of a broken row is never shown
KEPT_OF_BROKEN = 1000
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Mended:
    """The clean copy of a file: one more column than the header, the text of a broken row."""

    path: Path
    longest_line: int
    rows: int
    broken: int
    first_broken: str
    not_utf8: bool


@dataclass(frozen=True)
class Header:
    """The first record of a CSV file; no columns when the file is empty. blank_lines: how many
    stand before it."""

    delimiter: str
    columns: tuple[str, ...]
    blank_lines: int = 0


def read_header(file: LandingFile, needed: Sequence[str]) -> Header:
    """The column names, and the delimiter under which they hold the needed ones (else a comma)."""
    with _opened(file, newline="") as opened:
        record, blank_lines = _first_record(_bounded(opened))
    if not record:
        return Header(",", ())
    for delimiter in DELIMITERS:
        columns = _split(record, delimiter)
        if set(needed) <= {column.strip().lower() for column in columns}:
            return Header(delimiter, columns, blank_lines)
    return Header(",", _split(record, ","), blank_lines)


def mend_csv(file: LandingFile, header: Header, target: Path) -> Mended:
    """Write the rows of a CSV file to target; broken ones as their text in the last column."""
    empty = [""] * len(header.columns)
    with _opened(file, newline=line_end(file)) as opened:
        lines = _bounded(opened)
        _first_record(lines)
        records = _records(lines, header.delimiter, len(header.columns))
        return _write(target, ([*r, ""] if isinstance(r, list) else [*empty, r] for r in records))


def line_end(file: LandingFile) -> str:
    """How to split lines: only where a lone carriage return ends the header does it end rows."""
    with _opened(file, newline="") as opened:
        record, _ = _first_record(_bounded(opened))
    return "" if record.endswith("\r") else "\n"


def mend_json(file: LandingFile, target: Path) -> Mended:
    """Write the lines of a JSON lines file to target as one column, to be judged one by one."""
    with _opened(file, newline="\n") as opened:
        lines = (
            line.strip() if len(line) < LONGEST_LINE else line[:KEPT_OF_BROKEN]
            for line in _bounded(opened)
        )
        return _write(target, ([line, ""] for line in lines if line))


def _opened(file: LandingFile, newline: str) -> io.TextIOWrapper:
    binary = gzip.GzipFile(file.path) if file.is_gzip else file.path.open("rb")
    if binary.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
        binary.close()
        raise Refused("it is UTF-16 text; save it as UTF-8")
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=newline)


def _bounded(opened: io.TextIOWrapper) -> Iterator[str]:
    """The lines; of one without end its first LONGEST_LINE characters."""
    while line := opened.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            while rest := opened.readline(SKIPPED_AT_ONCE):
                if rest[-1] in "\r\n":
                    break
        yield line


def _first_record(lines: Iterable[str]) -> tuple[str, int]:
    """The first line that is not blank, with the lines that an open quote carries over, and how
    many blank ones stand before it."""
    record, blank_lines = "", 0
    for line in lines:
        if not record and not line.strip():
            blank_lines += 1
            continue
        if len(line) == LONGEST_LINE:
            raise Refused(f"its first line has {LONGEST_LINE:,} characters and more")
        record += line
        if record.count('"') % 2 == 0:
            break
        if len(record) > 1 << 20:
            raise Refused("a quote in its header is never closed")
    return record, blank_lines


def _split(record: str, delimiter: str) -> tuple[str, ...]:
    csv.field_size_limit(sys.maxsize)
    names = next(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter), [])
    return tuple(name.strip() or f"column_{number}" for number, name in enumerate(names, start=1))


def _records(lines: Iterable[str], delimiter: str, width: int) -> Iterator[list[str] | str]:
    """Fields of each row, or the text of a row that is broken.

    A record over several lines is taken when it has the right number of fields; else its first
    line alone is broken, and reading goes on with the next line.
    """
    for text, fields in records_with_text(lines, delimiter, width):
        if fields is not None:
            yield fields
        elif text.strip(" \r\n"):
            yield text.rstrip("\r\n")[:KEPT_OF_BROKEN]


def records_with_text(
    lines: Iterable[str], delimiter: str, width: int
) -> Iterator[tuple[str, list[str] | None]]:
    """Each record as it stands in the file, and its fields; None for a broken or blank one."""
    csv.field_size_limit(sys.maxsize)
    source, waiting = iter(lines), deque[str]()
    while True:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            return
        if len(line) >= LONGEST_LINE or not line.strip(" \r\n"):
            yield line, None
            continue
        taken, size, quotes = [line], len(line), line.count('"')
        while quotes % 2 and size < LONGEST_RECORD:
            line = waiting.popleft() if waiting else next(source, None)
            if line is None:
                break
            taken.append(line)
            size, quotes = size + len(line), quotes + line.count('"')
        fields = _fields(taken, delimiter, quotes)
        if len(fields) == width:
            yield "".join(taken), fields
        else:
            waiting.extendleft(reversed(taken[1:]))
            yield taken[0], None


def _fields(taken: list[str], delimiter: str, quotes: int) -> list[str]:
    if not quotes:
        return taken[0].rstrip("\r\n").split(delimiter)
    try:
        rows = list(csv.reader(taken, delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return rows[0] if len(rows) == 1 else []


def _write(target: Path, rows: Iterable[list[str]]) -> Mended:
    count = broken = longest = 0
    first_broken, not_utf8 = "", False
    with target.open("wb") as out:
        for fields in rows:
            line = '","'.join(field.replace('"', '""') for field in fields)
            encoded = f'"{line}"\n'.encode()
            out.write(encoded)
            count += 1
            if fields[-1]:
                broken += 1
                first_broken = first_broken or fields[-1]
            longest = max(longest, len(encoded))
            not_utf8 = not_utf8 or NOT_UTF8 in line
    return Mended(target, longest, count, broken, first_broken, not_utf8)


def nothing_readable(example: str) -> Refused:
    """The verdict on a file without a single good row."""
    return Refused(f"none of its rows can be read; the first is: {one_line(example, 80)}")
