"""The open warehouse file: its session settings, load numbers, and one transaction per batch.

Belongs here: connecting, and writing the rows of a batch together with its ledger entries.
Does not belong here: deciding what is landed and what is said about it (run.py).
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.landing import attached, kept, ledger, reading
from orchestration.landing.columns import Relation, landing_select
from orchestration.landing.declaration import RAW_TABLE, column_name, create_raw_tables
from orchestration.landing.files import (
    Content,
    LandingFile,
    moment_of_arrival,
    several_at_once,
    stamp_of,
)
from orchestration.landing.mending import Mended
from orchestration.layout import layout_of
from orchestration.locking import holder_of_file
from orchestration.settings import Settings
from orchestration.sources import SOURCES
from orchestration.sql_text import literal


@dataclass(frozen=True)
class Candidate:
    """A file that may land: its content, its load number, its shape once looked at."""

    file: LandingFile
    content: Content | None
    load_id: int
    shape: reading.Shape | None = None

    @property
    def is_as_hashed(self) -> bool:
        """Nobody wrote to the file since its content was hashed."""
        try:
            return stamp_of(self.file) == self.content.stamp
        except OSError:
            return False


class ChangedMeanwhile(Exception):  # noqa: N818 - a state of files, not a fault
    """Some files were written to while they were read; nothing of the batch was kept."""

    def __init__(self, candidates: list[Candidate]) -> None:
        self.candidates = candidates


@dataclass(frozen=True)
class Written:
    """One committed batch; refused: files that turned out to lack something, with the reason."""

    loads: list[ledger.Load]
    unreadable_rows: int
    refused: list[tuple[Candidate, str]]


@dataclass(frozen=True)
class Kept:
    """A file that was copied to where kept files lie, and what reading it once has shown."""

    candidate: Candidate
    copy: kept.KeptFile
    checked: kept.Checked


class Warehouse:
    """A connection to the home's warehouse file with schema raw as declared.

    `open` raises IntentMapError when the file is held elsewhere or an attached source is wrong.
    """

    def __init__(self, settings: Settings, report: Callable[[str], object]) -> None:
        self.settings, self.report = settings, report
        self.now = datetime.now(UTC).replace(tzinfo=None)
        self.attached: dict[str, attached.AttachedSource] = {}
        self.con: duckdb.DuckDBPyConnection | None = None
        self._next_load_id = 0

    def open(self) -> None:
        self._connect()
        kept.remove_leftovers(self.con, self.kept_folder)

    def _connect(self) -> None:
        path = self.settings.warehouse
        try:
            self.con = duckdb.connect(str(path))
        except (duckdb.Error, OSError) as error:
            holder = holder_of_file(str(error))
            reason = f"it is open in {holder}" if holder else first_line(error)
            raise IntentMapError(f"The warehouse {path} cannot be opened: {reason}.") from error
        layout_of(self.con, self.settings)
        self.con.execute("set TimeZone = 'UTC'")
        self.con.execute("set enable_progress_bar = false")
        if limit := os.environ.get("INTENT_MAP_MEMORY_LIMIT"):
            self.con.execute(f"set memory_limit = {literal(limit)}")
        # the numbers of rows rest on it, and the dbt profile turns it off
        self.con.execute("set preserve_insertion_order = true")
        # a connection of the same process may have set it, and used it, already
        spill = str(path.parent / "spill")
        if self.con.execute("select current_setting('temp_directory')").fetchone()[0] != spill:
            self.con.execute(f"set temp_directory = {literal(spill)}")
        self.attached = attached.prepare(self.con, self.settings, self.report)
        create_raw_tables(
            self.con,
            attached=[RAW_TABLE[source] for source in self.attached],
            kept={
                RAW_TABLE[source]: kept.table_of_rows(self.con, source)
                for source in SOURCES
                if kept.has_view(self.con, source)
            },
        )
        for source in SOURCES:
            if kept.has_view(self.con, source):
                kept.create_view(self.con, self.kept_folder, source)
        # numbers given out before a reopening may not be in the ledger yet
        self._next_load_id = max(self._next_load_id, ledger.next_load_id(self.con))

    @property
    def kept_folder(self) -> Path:
        return self.settings.warehouse.parent / kept.FOLDER

    def close(self) -> None:
        if self.con is not None:
            self.con.close()

    def revive(self, error: Exception) -> None:
        """DuckDB closes itself after an inner failure; one broken file must not end the run."""
        if isinstance(error, (duckdb.FatalException, duckdb.InternalException)):
            self.close()
            # copies that are not noted yet stay
            self._connect()

    def take_load_id(self) -> int:
        """A number that no load has had; numbers rise with every file."""
        self._next_load_id += 1
        return self._next_load_id - 1

    def write_load(
        self,
        candidate: Candidate,
        status: str,
        *,
        rows: int = 0,
        reason: str | None = None,
        kept_file: str | None = None,
        kept_is_clean: bool | None = None,
        columns: Iterable[str] | None = None,
    ) -> ledger.Load:
        """Add one row to the ledger. columns: as the file names them."""
        content = candidate.content
        source = candidate.file.source
        names = None if columns is None else sorted({column_name(source, c) for c in columns})
        load = ledger.Load(
            load_id=candidate.load_id,
            source=source,
            file_name=candidate.file.shown,
            content_hash=content.sha256 if content else None,
            size_bytes=content.size if content else None,
            row_count=rows,
            status=status,
            reason=reason,
            landed_at=self.now,
            kept_file=kept_file,
            arrived_at=moment_of_arrival(content.stamp[1]) if content else None,
            file_columns=names,
            kept_is_clean=kept_is_clean,
            file_mark=content.mark if content else None,
        )
        ledger.write(self.con, load)
        return load

    def keep(self, candidates: list[Candidate], checked: Mapping[str, kept.Checked]) -> list[Kept]:
        """Copy Parquet files as they are and read them once; note_kept makes them part of raw.

        checked: by SHA-256, what reading contents before has shown; these are not read again.

        Raises ChangedMeanwhile, Refused, OSError or duckdb.Error, which may be of any one of them;
        the next landing removes copies that were not noted.
        """
        landed = round((self.now - datetime(1970, 1, 1)).total_seconds() * 1_000_000)

        def copy(candidate: Candidate) -> kept.KeptFile:
            return kept.copy(self.kept_folder, candidate.file, candidate.load_id, landed)

        with several_at_once() as pool:
            copies = list(pool.map(copy, candidates))
        if changed := [candidate for candidate in candidates if not candidate.is_as_hashed]:
            raise ChangedMeanwhile(changed)
        pairs = list(zip(candidates, copies, strict=True))
        new = [copy for candidate, copy in pairs if candidate.content.sha256 not in checked]
        found = kept.check(self.con, self.kept_folder, new)
        return [
            Kept(candidate, copy, checked.get(candidate.content.sha256) or found[copy.load_id])
            for candidate, copy in pairs
        ]

    def note_kept(self, source: str, files: list[Kept]) -> Written:
        """Their ledger entries and the view that reads them, in one transaction: the view opens
        every file that is kept, so it is not made anew for each of them."""
        with self._transaction():
            loads = [
                self.write_load(
                    it.candidate,
                    ledger.LANDED,
                    rows=it.checked.rows,
                    kept_file=it.copy.path,
                    kept_is_clean=it.checked.is_clean,
                    columns=it.candidate.shape.columns,
                )
                for it in files
            ]
            kept.create_view(self.con, self.kept_folder, source)
        return Written(loads, sum(it.checked.unreadable_rows for it in files), [])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self.con.begin()
        try:
            yield
            self.con.commit()
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                self.con.rollback()
            raise

    def write_batch(
        self,
        batch: list[Candidate],
        mended: Mended | None = None,
        replace_not_utf8: bool = False,
    ) -> Written:
        """Rows and ledger of files of one shape in one transaction.

        mended: the clean copy that is read in place of the one file. Raises ChangedMeanwhile,
        Refused or duckdb.Error, each after a rollback.
        """
        by_path = {str(mended.path if mended else c.file.path): c for c in batch}
        staged = reading.stage(
            self.con,
            batch[0].file.source,
            batch[0].shape,
            list(by_path),
            mended=mended,
            replace_not_utf8=replace_not_utf8,
        )
        good = {path: c for path, c in by_path.items() if path not in staged.refused}
        with self._transaction():
            counts = {}
            if staged.relation is not None and good:
                counts = self._insert(staged.relation, good, replace_not_utf8)
            loads = [
                self.write_load(
                    c,
                    ledger.LANDED,
                    rows=counts.get(c.load_id, (0, 0))[0],
                    columns=staged.keys.get(path, batch[0].shape.columns),
                )
                for path, c in good.items()
            ]
            changed = [c for c in batch if not c.is_as_hashed]
            if changed:
                raise ChangedMeanwhile(changed)
        return Written(
            loads,
            sum(unreadable for _, unreadable in counts.values()),
            [(by_path[path], reason) for path, reason in staged.refused.items()],
        )

    def _insert(
        self, relation: Relation, good: dict[str, Candidate], replace_not_utf8: bool
    ) -> dict[int, tuple[int, int]]:
        """Insert the rows of the good files; load_id → rows, rows with something unreadable."""
        source = next(iter(good.values())).file.source
        table = f"raw.{kept.table_of_rows(self.con, source)}"
        files = ", ".join(
            f"({literal(path)}, {c.load_id}::bigint, {literal(c.file.shown)})"
            for path, c in good.items()
        )
        numbered = replace(
            relation,
            sql=f"select rows.*, files.load_id as __load_id, files.name as __name "
            f"from ({relation.sql}) as rows "
            f"join (values {files}) as files (path, load_id, name) on files.path = rows.__file",
        )
        technical = {
            "load_id": "__load_id",
            "row_number": "__row",
            "file_name": "__name",
            "landed_at": f"timestamp '{self.now}'",
        }
        select = landing_select(source, numbered, technical, not_utf8=replace_not_utf8)
        self.con.execute(f"insert into {table} by name {select}")
        ours = [c.load_id for c in good.values()]
        rows = self.con.execute(
            f"select load_id, count(*), count(unreadable) from {table} "
            "where load_id between ? and ? group by load_id",
            [min(ours), max(ours)],
        ).fetchall()
        return {load_id: (count, bad) for load_id, count, bad in rows if load_id in set(ours)}
