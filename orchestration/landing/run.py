"""Lands what lies in the folders: decides about each file and tells the user.

Belongs here: the order of things, batches, falling back to single files, what is said.
Does not belong here: how a format is read (reading.py), transactions (warehouse.py).
"""

import difflib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.landing import ahead, attached, kept, ledger, mending, reading
from orchestration.landing.columns import Refused
from orchestration.landing.files import (
    Content,
    LandingFile,
    arrival_day,
    check_whole,
    files_of,
    is_ignored,
    listing,
    mark_of,
    move_aside,
    several_at_once,
)
from orchestration.landing.result import LandingResult, SourceLanding
from orchestration.landing.warehouse import Candidate, ChangedMeanwhile, Kept, Warehouse, Written
from orchestration.one_line import one_line
from orchestration.policy import effective_vars
from orchestration.settings import Settings
from orchestration.sources import SOURCES

# one statement reads at most this much; a bad file in it costs a few more statements
BATCH_FILES = 500
BATCH_BYTES = 256 * 1024 * 1024
SECONDS_OF_SILENCE = 5
MENDING = "mending_"


def land(
    settings: Settings,
    source: str | None = None,
    report: Callable[[str], object] = print,
    days: Collection[date] | None = None,
) -> LandingResult:
    """Land every new file of one source, or of all, and note what an attached table brought.

    days: land only files that arrived on one of them, in the reporting time zone.

    The caller holds the writer's lock of the home. Raises IntentMapError when the home or the
    warehouse cannot be used or an attached source is wrong; a bad file never raises.
    """
    if source is not None and source not in SOURCES:
        raise IntentMapError(f"'{source}' is no source; known are {', '.join(SOURCES)}.")
    chosen = SOURCES if source is None else (source,)
    _make_folders(settings)
    result = LandingResult()
    warehouse = Warehouse(settings, report)
    landing = _Landing(settings, warehouse, report, result, days)
    try:
        warehouse.open()
        if source is None and days is None:
            landing.look_round()
        for name in chosen:
            landing.land_source(name)
    except duckdb.Error as error:
        raise IntentMapError(
            f"The warehouse {settings.warehouse} failed: {first_line(error)} What landed "
            "before is safe; run again."
        ) from error
    finally:
        warehouse.close()
    if days is None and all(outcome.is_empty for outcome in result.sources.values()):
        report(
            f"No file waits under {settings.landing}: drop Parquet, CSV or JSON lines below "
            f"{', '.join(f'{name}/' for name in chosen)} there."
        )
    return result


def land_days(
    settings: Settings, days: Collection[date], report: Callable[[str], object] = print
) -> LandingResult:
    """Land the files that arrived on these days, one day after the other as nights would have.

    The caller holds the writer's lock of the home. Raises as land does.
    """
    zone = reporting_zone(settings)
    arrived = Counter(arrival_day(row[3], zone) for row in listing(settings.landing, SOURCES))
    result = LandingResult({source: SourceLanding(source) for source in SOURCES})
    with_files = sorted(set(days) & arrived.keys())
    if not with_files:
        report("No file in the landing folders arrived on these days.")
    for day in with_files:
        report(f"{_count(arrived[day], 'file')} arrived on {day}:")
        result.add(land(settings, report=report, days={day}))
    return result


def reporting_zone(settings: Settings) -> ZoneInfo:
    """The reporting time zone; policy.py has checked its name."""
    return ZoneInfo(effective_vars(settings)["reporting_time_zone"])


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
    """One landing: where it stands and what was found out so far."""

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        report: Callable[[str], object],
        result: LandingResult,
        days: Collection[date] | None = None,
    ) -> None:
        self.days, self.zone = days, reporting_zone(settings)
        self.settings, self.warehouse = settings, warehouse
        self.report, self.result = report, result
        self.found_ahead = ahead.findings()
        self.known = ledger.Known()
        self.marked: list[tuple[str, str, str]] = []
        self.outcome = SourceLanding("")
        self.said_at = time.monotonic()

    def warn(self, sentence: str) -> None:
        self.result.warnings.append(sentence)
        self.report(sentence)

    def look_round(self) -> None:
        """Warn of what lies in the landing folder but belongs to no source."""
        try:
            children = sorted(self.settings.landing.iterdir())
        except OSError as error:
            raise IntentMapError(
                f"The folder {self.settings.landing} cannot be read ({error.strerror}): give this "
                "user the right to."
            ) from error
        for child in children:
            if child.name in SOURCES or is_ignored(child.name):
                continue
            meant = difflib.get_close_matches(child.name.lower(), SOURCES, n=1, cutoff=0.5)
            hint = f"; did you mean {meant[0]}?" if meant else ""
            self.warn(
                f"landing/{one_line(child.name, 200)} is not read: the folders there are "
                f"{', '.join(SOURCES)}{hint}"
            )

    def land_source(self, source: str) -> None:
        self.outcome = self.result.sources[source] = SourceLanding(source)
        files = list(filter(self._is_due, files_of(self.settings.landing, source, self.warn)))
        if source in self.warehouse.attached:
            self._note_attached(self.warehouse.attached[source], len(files))
            return
        self.known = ledger.read_known(self.warehouse.con, source)
        self.marked = []
        with several_at_once() as pool:
            found = zip(files, pool.map(self._read, files), strict=True)
            waiting = [candidate for one in found if (candidate := self._judge(*one))]
        ledger.note_marks(self.warehouse.con, source, self.marked)
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

    def _is_due(self, file: LandingFile) -> bool:
        if self.days is None:
            return True
        try:
            return arrival_day(file.path.stat().st_mtime_ns, self.zone) in self.days
        except OSError:
            return False

    def _note_attached(self, entry: attached.AttachedSource, files: int) -> None:
        if files:
            self.warn(
                f"landing/{entry.source} holds {_count(files, 'file')} not read, because the var "
                f"{attached.VAR} names a table for {entry.source}."
            )
        try:
            arrivals = attached.note_arrivals(self.warehouse.con, entry, self.warehouse.now)
        except duckdb.Error as error:
            raise IntentMapError(
                f"The attached source {entry.source}, {entry.shown}, cannot be read: "
                f"{first_line(error)}"
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

    def _read(self, file: LandingFile) -> Content | OSError | None:
        """The file's content, or why it cannot be read; None when it is as it was noted."""
        try:
            if (file.shown, mark_of(file)) in self.known.marks:
                return None
            return self.found_ahead.content_of(file)
        except OSError as error:
            return error

    def _judge(self, file: LandingFile, content: Content | OSError | None) -> Candidate | None:
        """The file as a candidate, when it is new; content as _read gives it."""
        if content is None:
            self.outcome.unchanged += 1
            return None
        if isinstance(content, FileNotFoundError):
            self._skip(file, "it was taken away meanwhile")
            return None
        if isinstance(content, OSError):
            self._set_aside(file, None, f"it cannot be opened ({content.strerror or content})")
            return None
        if not self._is_new(file, content):
            return None
        return Candidate(file, content, self.warehouse.take_load_id())

    def _is_new(self, file: LandingFile, content: Content) -> bool:
        known = self.known
        if (file.shown, content.sha256) in known.seen:
            self.outcome.unchanged += 1
            if content.mark is not None:
                self.marked.append((file.shown, content.sha256, content.mark))
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
        self._note_load(file, content, ledger.DUPLICATE, reason)
        self.outcome.duplicates.append((file.shown, before.file_name))
        self.report(f"{file} is not landed: {reason}.")

    def _land_all(self, candidates: list[Candidate]) -> None:
        copies: list[Kept] = []
        try:
            self._land_or_copy(candidates, copies)
        finally:
            # also before a full disk ends the run: what was copied need not be copied again
            if copies:
                self._take_note(self.warehouse.note_kept(self.outcome.source, copies))

    def _land_or_copy(self, candidates: list[Candidate], copies: list[Kept]) -> None:
        """Land the files, but only copy those that are kept as they are, into copies."""
        # None: what is only copied, whatever its shape
        batches: dict[reading.Shape | None, list[list[Candidate]]] = {}
        sizes: dict[reading.Shape | None, int] = {}
        for candidate in candidates:
            looked_at = self._look_at(candidate)
            if looked_at is None:
                continue
            shape, size = looked_at.shape, looked_at.content.size
            kind = None if kept.may_be_kept(looked_at.file, size, shape) else shape
            lists = batches.setdefault(kind, [[]])
            sizes[kind] = sizes.get(kind, 0) + size
            if len(lists[-1]) >= BATCH_FILES or (lists[-1] and sizes[kind] > BATCH_BYTES):
                lists.append([])
                sizes[kind] = size
            lists[-1].append(looked_at)

        def keep(batch: list[Candidate]) -> None:
            copies.extend(self.warehouse.keep(batch, self.found_ahead.checked))

        def write(batch: list[Candidate]) -> None:
            self._take_note(self.warehouse.write_batch(batch))

        for kind, lists in batches.items():
            for batch in lists:
                self._land_batch(batch, keep if kind is None else write)
                self._say_how_far(copies)

    def _say_how_far(self, copies: list[Kept]) -> None:
        if time.monotonic() - self.said_at < SECONDS_OF_SILENCE:
            return
        self.said_at = time.monotonic()
        files = _count(self.outcome.files_landed + len(copies), "file")
        rows = self.outcome.rows + sum(it.checked.rows for it in copies)
        self.report(f"{self.outcome.source}: {files}, {rows:,} rows so far")

    def _look_at(self, candidate: Candidate) -> Candidate | None:
        """With its shape, or None after setting it aside."""
        file = candidate.file
        try:
            tail = check_whole(file, candidate.content)
            return replace(candidate, shape=reading.shape_of(self.warehouse.con, file, tail))
        except Refused as refused:
            self._set_aside(file, candidate.content, str(refused))
        except FileNotFoundError:
            self._skip(file, "it was taken away meanwhile")
        except OSError as error:
            self._set_aside(file, candidate.content, f"it cannot be read ({error.strerror})")
        except duckdb.Error as error:
            self._set_aside(file, candidate.content, self._in_words(error, file))
        return None

    def _land_batch(self, batch: list[Candidate], land: Callable[[list[Candidate]], None]) -> None:
        """Land files together; on any failure halve the batch until the bad file is alone."""
        if not batch:
            return
        try:
            land(batch)
        except ChangedMeanwhile as changed:
            for candidate in changed.candidates:
                self._skip(candidate.file, "it is still being written; it is read next time")
            self._land_batch([c for c in batch if c not in changed.candidates], land)
        except (duckdb.Error, OSError, MemoryError, Refused) as error:
            if len(batch) > 1:
                self.warehouse.revive(error)
                middle = len(batch) // 2
                self._land_batch(batch[:middle], land)
                self._land_batch(batch[middle:], land)
            else:
                self._land_damaged(batch[0], error)

    def _land_damaged(self, candidate: Candidate, error: Exception) -> None:
        """A file that cannot be read as it is: mend it when it is text, else set it aside."""
        file = candidate.file
        if self._is_not_the_files_fault(candidate, error):
            return
        self.warehouse.revive(error)
        try:
            if isinstance(error, Refused):
                raise error
            if candidate.shape.format == "parquet":
                if "UTF8" not in str(error).upper().replace("-", ""):
                    raise Refused(self._in_words(error, file))
                self._take_note(self.warehouse.write_batch([candidate], replace_not_utf8=True))
            else:
                self._land_mended(candidate)
        except ChangedMeanwhile:
            self._skip(file, "it is still being written; it is read next time")
        except Refused as refused:
            self._set_aside(file, candidate.content, str(refused))
        except (duckdb.Error, OSError, MemoryError) as second:
            if not self._is_not_the_files_fault(candidate, second):
                self.warehouse.revive(second)
                self._set_aside(file, candidate.content, self._in_words(second, file))

    def _land_mended(self, candidate: Candidate) -> None:
        spill = self.settings.warehouse.parent / "spill"
        with tempfile.TemporaryDirectory(prefix=MENDING, dir=spill) as folder:
            target = Path(folder) / "mended.csv"
            if candidate.shape.format == "csv":
                mended = mending.mend_csv(candidate.file, candidate.shape.header, target)
            else:
                mended = mending.mend_json(candidate.file, target)
            if mended.rows and mended.rows == mended.broken:
                raise mending.nothing_readable(mended.first_broken)
            written = self.warehouse.write_batch([candidate], mended, mended.not_utf8)
        self._take_note(written)

    def _take_note(self, written: Written) -> None:
        for load in written.loads:
            self.known.add(load)
            self.outcome.landed.append(load.file_name)
            self.outcome.rows += load.row_count
            day = load.arrived_at.replace(tzinfo=UTC).astimezone(self.zone).date()
            self.outcome.files_of_day[day] += 1
            self.outcome.rows_of_day[day] += load.row_count
        self.outcome.unreadable_rows += written.unreadable_rows
        for candidate, reason in written.refused:
            self._set_aside(candidate.file, candidate.content, reason)

    def _note_load(
        self, file: LandingFile, content: Content | None, status: str, reason: str
    ) -> None:
        candidate = Candidate(file, content, self.warehouse.take_load_id())
        self.known.add(self.warehouse.write_load(candidate, status, reason=reason))

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
        self._note_load(file, content, ledger.SET_ASIDE, reason)
        self.outcome.set_aside.append((file.shown, reason))
        self.report(f"{sentence} It lies now in {target.parent}.")

    def _skip(self, file: LandingFile, reason: str) -> None:
        self.outcome.skipped.append((file.shown, reason))
        self.report(f"{file} was skipped: {reason}.")

    def _is_not_the_files_fault(self, candidate: Candidate, error: Exception) -> bool:
        """Skip the file when memory ran out; stop when the disk is full."""
        if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)):
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

    def _in_words(self, error: Exception, file: LandingFile) -> str:
        lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
        text = lines[0].replace(str(file.path), file.shown)
        return f"it cannot be read ({one_line(text, 300).rstrip('. ')})"

    def _summarize(self) -> None:
        outcome = self.outcome
        if outcome.is_empty:
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
