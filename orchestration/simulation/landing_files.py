"""Landing files: rows collected per file, written whole, renamed into place.

Belongs here: which rows wait for their file to be complete, parts, temporary names.
Does not belong here: what a row looks like (generic_files.py, ga4_files.py).
"""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np

from orchestration.simulation.columns import Columns
from orchestration.simulation.dirt import Calendar

# Bounds the memory of a run of any size: above, files are closed early and go on as parts.
MAXIMUM_WAITING_ROWS = 5_000_000
MAXIMUM_FILE_ROWS = 1_500_000
COPY_OPTIONS = {
    "csv": "FORMAT csv, HEADER",
    "csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
# From a format to the select over the relation `landing_rows`.
Select = Callable[[str], str]


class LandingFiles:
    """The files of one source. Rows come in chunks whose first times never go back."""

    def __init__(self, folder: Path, prefix: str, calendar: Calendar, select: Select) -> None:
        self._folder = folder
        self._prefix = prefix
        self._calendar = calendar
        self._select = select
        self._waiting: dict[int, list[Columns]] = defaultdict(list)
        self._parts: dict[int, int] = defaultdict(int)
        self.rows = 0
        self.paths: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, columns: Columns) -> None:
        order = np.lexsort((columns["sequence"], columns["time"], columns["file"]))
        file = columns["file"][order]
        for number in np.unique(file):
            begin, end = np.searchsorted(file, number), np.searchsorted(file, number, side="right")
            part = {name: values[order[begin:end]] for name, values in columns.items()}
            self._waiting[int(number)].append(part)

    def write(self, connection: duckdb.DuckDBPyConnection, complete_before: int) -> None:
        """Writes the files below `complete_before`, and others where too many rows wait."""
        waiting = {n: sum(len(part["time"]) for part in self._waiting[n]) for n in self._waiting}
        excess = sum(waiting.values()) - MAXIMUM_WAITING_ROWS
        due = []
        for number, rows in sorted(waiting.items()):
            if number < complete_before or rows > MAXIMUM_FILE_ROWS or excess > 0:
                due.append((self._path(number), number, self._waiting.pop(number)))
                self.rows += rows
                excess -= rows
        self.paths += [path for path, _, _ in due]
        # DuckDB splits one file between threads only where it is large
        with ThreadPoolExecutor(max_workers=4) as threads:
            list(threads.map(lambda file: self._write_file(connection.cursor(), *file), due))

    def _write_file(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        number: int,
        parts: list[Columns],
    ) -> None:
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.lexsort((columns["sequence"], columns["time"]))
        columns = {name: values[order] for name, values in columns.items()}
        file_format = self._calendar.format_of(number)
        connection.register("landing_rows", columns)
        copy_to(connection, self._select(file_format), path, file_format)
        connection.close()

    def _path(self, number: int) -> Path:
        first, last = self._calendar.dates_of(number)
        self._parts[number] += 1
        part = f"_part{self._parts[number]}" if self._parts[number] > 1 else ""
        extension = self._calendar.format_of(number)
        return self._folder / f"{self._prefix}_{first:%Y%m%d}_{last:%Y%m%d}{part}.{extension}"


def copy_to(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, file_format: str
) -> None:
    """Writes the select's rows in their order; the name appears when the file is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    target = str(unfinished).replace("'", "''")
    connection.execute(f"COPY ({select}) TO '{target}' ({COPY_OPTIONS[file_format]})")
    unfinished.replace(path)


def text_list(values: list[str | None]) -> str:
    """A SQL list of texts, to be read by position from 1."""
    quoted = ("NULL" if v is None else "'" + v.replace("'", "''") + "'" for v in values)
    return f"([{', '.join(quoted)}])"
