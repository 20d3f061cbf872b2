"""Lands what lies in the folders: decides about each file and writes it in one transaction.

Belongs here: the order of things, batches, falling back to single files, what is said to the user.
Does not belong here: how a format is read (reading.py) or a value (columns.py).
"""

import contextlib
import difflib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.errors import IntentMapError
from orchestration.landing import attached, ledger, mending, reading
from orchestration.landing.columns import Refused, landing_select, shown_text
from orchestration.landing.declaration import RAW_TABLE, SOURCES, create_raw_tables, literal
from orchestration.landing.files import (
    Content,
    LandingFile,
    check_whole,
    content_of,
    files_of,
    is_ignored,
    move_aside,
    stamp_of,
)
from orchestration.settings import Settings

# one statement reads at most this much; a bad file in it costs a few more statements
BATCH_FILES = 500
BATCH_BYTES = 256 * 1024 * 1024
SECONDS_OF_SILENCE = 5
MENDING = "mending_"


@dataclass
class SourceLanding:
    """What happened to one source. Names are paths below landing/<source>/.

    duplicates: (name, name of the landed file with the same content). skipped: (name, reason),
    files that stay where they are and are tried again next time.
    attached: the table that is read in place of files; rows then counts what arrived since.
    """

    source: str
    landed: list[str] = field(default_factory=list)
    rows: int = 0
    unreadable_rows: int = 0
    unchanged: int = 0
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    attached: str | None = None

    @property
    def files_landed(self) -> int:
        return len(self.landed)


@dataclass
class LandingResult:
    """Per source what happened; warnings are sentences about the folders themselves."""

    sources: dict[str, SourceLanding] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def files_landed(self) -> int:
        return sum(source.files_landed for source in self.sources.values())

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources.values())

    @property
    def set_aside(self) -> list[tuple[str, str]]:
        return [
            (f"{source.source}/{name}", reason)
            for source in self.sources.values()
            for name, reason in source.set_aside
        ]


@dataclass(frozen=True)
class _Candidate:
    """A file that is new: its content, its number, its shape once looked at."""

    file: LandingFile
    content: Content
    load_id: int = 0
    shape: reading.Shape | None = None


class _ChangedMeanwhile(Exception):  # noqa: N818 - a state of files, not a fault
    def __init__(self, candidates: list[_Candidate]) -> None:
        self.candidates = candidates


def land(
    settings: Settings, source: str | None = None, report: Callable[[str], object] = print
) -> LandingResult:
    """Land every new file of one source, or of all, and note what an attached table brought.

    The caller holds the writer's lock of the home. Raises IntentMapError when the home or the
    warehouse cannot be used or an attached source is wrong; a bad file never raises.
    """
    if source is not None and source not in SOURCES:
        raise IntentMapError(f"'{source}' is no source; known are {', '.join(SOURCES)}.")
    chosen = SOURCES if source is None else (source,)
    _make_folders(settings)
    result = LandingResult()
    landing = _Landing(settings, report, result)
    try:
        landing.open()
        if source is None:
            landing.look_round()
        for name in chosen:
            landing.land_source(name)
    finally:
        landing.close()
    if not any(_has_anything(outcome) for outcome in result.sources.values()):
        report(
            f"No file waits under {settings.landing}: drop Parquet, CSV or JSON lines below "
            f"{', '.join(f'{name}/' for name in chosen)} there."
        )
    return result


def _has_anything(outcome: SourceLanding) -> bool:
    return bool(outcome.attached or outcome.unchanged or outcome.landed) or any(
        (outcome.duplicates, outcome.set_aside, outcome.skipped)
    )


def _make_folders(settings: Settings) -> None:
    folders = [settings.landing / source for source in SOURCES]
    for folder in (*folders, settings.warehouse.parent, settings.warehouse.parent / "spill"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IntentMapError(
                f"The folder {folder} cannot be made ({error.strerror}): give this user the right "
                "to write there, or set INTENT_MAP_HOME to another folder."
            ) from error
    for left_by_a_killed_run in (settings.warehouse.parent / "spill").glob(f"{MENDING}*"):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)


class _Landing:
    """One landing: the open warehouse and what was found out so far."""

    def __init__(
        self, settings: Settings, report: Callable[[str], object], result: LandingResult
    ) -> None:
        self.settings, self.report, self.result = settings, report, result
        self.now = datetime.now(UTC).replace(tzinfo=None)
        self.con: duckdb.DuckDBPyConnection | None = None
        self.attached: dict[str, attached.AttachedSource] = {}
        self.known = ledger.Known()
        self.outcome = SourceLanding("")
        self.said_at = time.monotonic()

    def open(self) -> None:
        path = self.settings.warehouse
        try:
            self.con = duckdb.connect(str(path))
        except (duckdb.Error, OSError) as error:
            holder = attached.lock_holder(error)
            reason = f"it is open in {holder}" if holder else str(error).splitlines()[0]
            raise IntentMapError(f"The warehouse {path} cannot be opened: {reason}.") from error
        self.con.execute("set TimeZone = 'UTC'")
        self.con.execute("set enable_progress_bar = false")
        # the numbers of rows rest on it, and the dbt profile turns it off
        self.con.execute("set preserve_insertion_order = true")
        # a connection of the same process may have set it, and used it, already
        spill = str(path.parent / "spill")
        if self.con.execute("select current_setting('temp_directory')").fetchone()[0] != spill:
            self.con.execute(f"set temp_directory = {literal(spill)}")
        self.attached = attached.prepare(self.con, self.settings, self.report)
        create_raw_tables(self.con, views=[RAW_TABLE[source] for source in self.attached])
        self.next_load_id = ledger.next_load_id(self.con)

    def close(self) -> None:
        if self.con is not None:
            self.con.close()

    def warn(self, sentence: str) -> None:
        self.result.warnings.append(sentence)
        self.report(sentence)

    def look_round(self) -> None:
        """Warn of what lies in the landing folder but belongs to no source."""
        for child in sorted(self.settings.landing.iterdir()):
            if child.name in SOURCES or is_ignored(child.name):
                continue
            meant = difflib.get_close_matches(child.name.lower(), SOURCES, n=1, cutoff=0.5)
            hint = f"; did you mean {meant[0]}?" if meant else ""
            self.warn(
                f"landing/{child.name} is not read: the folders there are {', '.join(SOURCES)}"
                f"{hint}"
            )

    def land_source(self, source: str) -> None:
        self.outcome = self.result.sources[source] = SourceLanding(source)
        files = files_of(self.settings.landing, source, self.warn)
        if source in self.attached:
            self._note_attached(self.attached[source], len(files))
            return
        self.known = ledger.read_known(self.con, source)
        waiting = [candidate for file in files if (candidate := self._judge(file))]
        while waiting:
            # of files with equal content only the first is landed; then the others are judged again
            seen = set(self.known.contents)
            chosen, rest = [], []
            for candidate in waiting:
                digest = candidate.content.sha256
                is_later = digest in seen and digest not in self.known.contents
                (rest if is_later else chosen).append(candidate)
                seen.add(digest)
            self._land_all(chosen)
            waiting = [c for c in rest if self._is_new(c.file, c.content)]
        self._summarize()

    def _note_attached(self, entry: attached.AttachedSource, files: int) -> None:
        if files:
            self.warn(
                f"landing/{entry.source} holds {_count(files, 'file')} not read, because the var "
                f"{attached.VAR} names a table for {entry.source}."
            )
        try:
            arrivals = attached.note_arrivals(self.con, entry, self.now)
        except duckdb.Error as error:
            raise IntentMapError(
                f"The attached source {entry.source}, {entry.shown}, cannot be read: "
                f"{str(error).splitlines()[0]}"
            ) from error
        self.outcome.attached, self.outcome.rows = entry.shown, arrivals.rows
        self.report(
            f"{entry.source}: {_count(arrivals.rows, 'new row')} in {entry.shown}, read in place."
        )
        if arrivals.without_arrival:
            self.warn(
                f"{entry.source}: {arrivals.without_arrival:,} rows of {entry.shown} have no "
                f"{entry.arrival_column}; only a full refresh reads them."
            )

    def _judge(self, file: LandingFile) -> _Candidate | None:
        """The file as a candidate, when it is new."""
        try:
            content = content_of(file)
        except FileNotFoundError:
            self._skip(file, "it was taken away meanwhile")
            return None
        except OSError as error:
            self._set_aside(file, None, f"it cannot be opened ({error.strerror or error})")
            return None
        return _Candidate(file, content) if self._is_new(file, content) else None

    def _is_new(self, file: LandingFile, content: Content) -> bool:
        known = self.known
        if (file.shown, content.sha256) in known.seen:
            self.outcome.unchanged += 1
            return False
        if (before := known.with_rows_by_name.get(file.shown)) is not None:
            self._set_aside(
                file,
                content,
                f"its content changed since it landed on {before.landed_at:%Y-%m-%d %H:%M} UTC "
                f"(load {before.load_id}), and a landed file is never replaced; to land the new "
                "content too, drop it under a new name",
            )
            return False
        if (before := known.with_rows_by_content.get(content.sha256)) is not None:
            self._note_duplicate(file, content, before)
            return False
        return True

    def _note_duplicate(self, file: LandingFile, content: Content, before: ledger.Load) -> None:
        # a copy under a new name brings nothing new, and where rows carry no id of their own, as in
        # spend, it would count twice
        reason = f"same content as {before.file_name} (load {before.load_id})"
        self._write_load(_Candidate(file, content), 0, ledger.DUPLICATE, reason)
        self.outcome.duplicates.append((file.shown, before.file_name))
        self.report(f"{file} is not landed: {reason}.")

    def _land_all(self, candidates: list[_Candidate]) -> None:
        batches: dict[reading.Shape, list[list[_Candidate]]] = {}
        sizes: dict[reading.Shape, int] = {}
        for candidate in candidates:
            looked_at = self._look_at(candidate)
            if looked_at is None:
                continue
            shape, size = looked_at.shape, looked_at.content.size
            lists = batches.setdefault(shape, [[]])
            sizes[shape] = sizes.get(shape, 0) + size
            if len(lists[-1]) >= BATCH_FILES or (lists[-1] and sizes[shape] > BATCH_BYTES):
                lists.append([])
                sizes[shape] = size
            lists[-1].append(looked_at)
        for lists in batches.values():
            for batch in lists:
                self._land_batch(batch)
                self._say_how_far()

    def _say_how_far(self) -> None:
        if time.monotonic() - self.said_at < SECONDS_OF_SILENCE:
            return
        self.said_at = time.monotonic()
        landed = _count(self.outcome.files_landed, "file")
        self.report(f"{self.outcome.source}: {landed}, {self.outcome.rows:,} rows so far")

    def _look_at(self, candidate: _Candidate) -> _Candidate | None:
        """With its number and shape, or None after setting it aside."""
        file = candidate.file
        candidate = replace(candidate, load_id=self._take_load_id())
        try:
            check_whole(file, candidate.content)
            return replace(candidate, shape=reading.shape_of(self.con, file))
        except Refused as refused:
            self._set_aside(file, candidate.content, str(refused))
        except FileNotFoundError:
            self._skip(file, "it was taken away meanwhile")
        except OSError as error:
            self._set_aside(file, candidate.content, f"it cannot be read ({error.strerror})")
        except duckdb.Error as error:
            self._set_aside(file, candidate.content, self._in_words(error, file))
        return None

    def _land_batch(self, batch: list[_Candidate]) -> None:
        """Land files of one shape; on any failure halve the batch until the bad file is alone."""
        if not batch:
            return
        try:
            self._write_batch(batch)
        except _ChangedMeanwhile as changed:
            for candidate in changed.candidates:
                self._skip(candidate.file, "it is still being written; it is read next time")
            self._land_batch([c for c in batch if c not in changed.candidates])
        except (duckdb.Error, OSError) as error:
            if len(batch) > 1:
                self._revive(error)
                middle = len(batch) // 2
                self._land_batch(batch[:middle])
                self._land_batch(batch[middle:])
            else:
                self._land_damaged(batch[0], error)
        except Refused as refused:
            self._set_aside(batch[0].file, batch[0].content, str(refused))

    def _land_damaged(self, candidate: _Candidate, error: Exception) -> None:
        """A file that cannot be read as it is: mend it when it is text, else set it aside."""
        file = candidate.file
        if self._is_not_the_files_fault(candidate, error):
            return
        self._revive(error)
        try:
            if candidate.shape.format == "parquet":
                if "UTF8" not in str(error).upper().replace("-", ""):
                    raise Refused(self._in_words(error, file))
                self._write_batch([candidate], replace_not_utf8=True)
            else:
                self._land_mended(candidate)
        except _ChangedMeanwhile:
            self._skip(file, "it is still being written; it is read next time")
        except Refused as refused:
            self._set_aside(file, candidate.content, str(refused))
        except (duckdb.Error, OSError) as second:
            if not self._is_not_the_files_fault(candidate, second):
                self._revive(second)
                self._set_aside(file, candidate.content, self._in_words(second, file))

    def _land_mended(self, candidate: _Candidate) -> None:
        spill = self.settings.warehouse.parent / "spill"
        with tempfile.TemporaryDirectory(prefix=MENDING, dir=spill) as folder:
            target = Path(folder) / "mended.csv"
            if candidate.shape.format == "csv":
                mended = mending.mend_csv(candidate.file, candidate.shape.header, target)
            else:
                mended = mending.mend_json(candidate.file, target)
            if mended.rows and mended.rows == mended.broken:
                raise mending.nothing_readable(mended.first_broken)
            self._write_batch([candidate], mended=mended, replace_not_utf8=mended.not_utf8)

    def _write_batch(
        self,
        batch: list[_Candidate],
        mended: mending.Mended | None = None,
        replace_not_utf8: bool = False,
    ) -> None:
        """Rows and ledger of the batch in one transaction."""
        source = self.outcome.source
        by_path = {str(c.file.path): c for c in batch} if mended is None else {}
        by_path = by_path or {str(mended.path): batch[0]}
        staged = reading.stage(
            self.con,
            source,
            batch[0].shape,
            list(by_path),
            mended=mended,
            replace_not_utf8=replace_not_utf8,
        )
        self.con.begin()
        try:
            good = {path: c for path, c in by_path.items() if path not in staged.refused}
            counts = {}
            if staged.relation is not None and good:
                counts = self._insert(staged.relation, good, replace_not_utf8)
            loads = [
                self._load(c, counts.get(c.load_id, (0, 0))[0], ledger.LANDED)
                for c in good.values()
            ]
            if loads:
                ledger.write(self.con, loads)
            changed = [c for c in batch if not _is_as_hashed(c)]
            if changed:
                raise _ChangedMeanwhile(changed)
            self.con.commit()
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                self.con.rollback()
            raise
        for load in loads:
            self.known.add(load)
            self.outcome.landed.append(load.file_name)
            self.outcome.rows += load.row_count
        self.outcome.unreadable_rows += sum(unreadable for _, unreadable in counts.values())
        for path, reason in staged.refused.items():
            self._set_aside(by_path[path].file, by_path[path].content, reason)

    def _insert(
        self,
        relation: reading.Relation,
        good: dict[str, _Candidate],
        replace_not_utf8: bool,
    ) -> dict[int, tuple[int, int]]:
        """Insert the rows of the good files; load_id → rows, rows with something unreadable."""
        source, table = self.outcome.source, f"raw.{RAW_TABLE[self.outcome.source]}"
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
        rows = self.con.execute(
            f"select load_id, count(*), count(unreadable) from {table} where load_id >= ? "
            "group by load_id",
            [min(c.load_id for c in good.values())],
        ).fetchall()
        ours = {c.load_id for c in good.values()}
        return {load_id: (count, bad) for load_id, count, bad in rows if load_id in ours}

    def _load(
        self, candidate: _Candidate, rows: int, status: str, reason: str | None = None
    ) -> ledger.Load:
        content = candidate.content
        return ledger.Load(
            load_id=candidate.load_id or self._take_load_id(),
            source=candidate.file.source,
            file_name=candidate.file.shown,
            content_hash=content.sha256 if content else None,
            size_bytes=content.size if content else None,
            row_count=rows,
            status=status,
            reason=reason,
            landed_at=self.now,
        )

    def _take_load_id(self) -> int:
        self.next_load_id += 1
        return self.next_load_id - 1

    def _write_load(
        self, candidate: _Candidate, rows: int, status: str, reason: str | None
    ) -> None:
        load = self._load(candidate, rows, status, reason)
        ledger.write(self.con, [load])
        self.known.add(load)

    def _set_aside(self, file: LandingFile, content: Content | None, reason: str) -> None:
        sentence = f"{file} was set aside: {reason}."
        try:
            target = move_aside(self.settings.landing, file, sentence)
        except FileNotFoundError:
            self._skip(file, "it was taken away meanwhile")
            return
        except OSError as error:
            self._skip(file, f"{reason}; it could not be moved aside either ({error.strerror})")
            return
        self._write_load(_Candidate(file, content), 0, ledger.SET_ASIDE, reason)
        self.outcome.set_aside.append((file.shown, reason))
        self.report(f"{sentence} It lies now in {target.parent}.")

    def _skip(self, file: LandingFile, reason: str) -> None:
        self.outcome.skipped.append((file.shown, reason))
        self.report(f"{file} was skipped: {reason}.")

    def _is_not_the_files_fault(self, candidate: _Candidate, error: Exception) -> bool:
        """Skip the file when memory ran out; stop when the disk is full."""
        if isinstance(error, duckdb.OutOfMemoryException):
            self._skip(
                candidate.file,
                "memory ran out while reading it; split the file, or give the run more memory",
            )
            return True
        if "No space left" in str(error):
            raise IntentMapError(
                f"The disk of {self.settings.home} is full; make room and run again. What landed "
                "before is safe."
            ) from error
        return False

    def _revive(self, error: Exception) -> None:
        """DuckDB closes itself after an inner failure; a broken file must not end the run."""
        if isinstance(error, (duckdb.FatalException, duckdb.InternalException)):
            self.con.close()
            self.open()

    def _in_words(self, error: Exception, file: LandingFile) -> str:
        lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
        text = lines[0].replace(str(file.path), file.shown)
        return f"it cannot be read ({shown_text(text, 300).rstrip('. ')})"

    def _summarize(self) -> None:
        outcome = self.outcome
        if not _has_anything(outcome):
            return
        parts = ["nothing new"]
        if outcome.landed:
            parts = [
                f"{_count(outcome.files_landed, 'file')} landed, {_count(outcome.rows, 'row')}"
            ]
        if outcome.unreadable_rows:
            parts[0] += f" ({outcome.unreadable_rows:,} with something unreadable)"
        parts += [
            f"{count:,} {what}"
            for count, what in (
                (outcome.unchanged, "known before"),
                (len(outcome.duplicates), "copies of known files"),
                (len(outcome.set_aside), "set aside"),
                (len(outcome.skipped), "skipped"),
            )
            if count
        ]
        self.report(f"{outcome.source}: {'; '.join(parts)}.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_as_hashed(candidate: _Candidate) -> bool:
    try:
        return stamp_of(candidate.file) == candidate.content.stamp
    except OSError:
        return False
