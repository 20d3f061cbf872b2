"""What lies in the landing folders: which files, of which format, with which content.

Belongs here: walking the folders, names that are left alone, content hashes, whether a file is
whole, moving a file aside.
Does not belong here: reading rows (reading.py), what was landed before (ledger.py).
"""

import contextlib
import glob
import gzip
import hashlib
import os
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration.landing.columns import Refused
from orchestration.one_line import one_line
from orchestration.sources import LANDING_SOURCES

SET_ASIDE_FOLDER = "_set_aside"
FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".jsonl.gz": "json",
    ".ndjson.gz": "json",
    ".json.gz": "json",
}
# how a file begins that was given the ending of a text
OTHER_FORMATS = {
    b"\x1f\x8b": "compressed by gzip; add .gz to its name",
    b"PK\x03\x04": "a zip archive, as an Excel workbook is too; save it as CSV, UTF-8",
}
# what copying and downloading programs call a file that is not complete yet
UNFINISHED = (".tmp", ".part", ".crdownload", ".filepart")
LONGEST_NAME = 255
LONGEST_PATH = 4096
# the coarsest clock of a file system has two seconds
SETTLED_SECONDS = 3
FILES_AT_ONCE = 4
# what the system shows of itself: without end, and no export lies there
OF_THE_SYSTEM = (Path("/proc"), Path("/sys"))
TAIL_BYTES = 1 << 16


@dataclass(frozen=True)
class LandingFile:
    """A file below landing/<source>/; name is its path below that folder, with '/'."""

    source: str
    name: str
    path: Path

    @property
    def suffix(self) -> str | None:
        """The longest known ending of the name, or None."""
        lower = self.name.lower()
        known = [suffix for suffix in FORMATS if lower.endswith(suffix)]
        return max(known, key=len) if known else None

    @property
    def is_gzip(self) -> bool:
        return (self.suffix or "").endswith(".gz")

    @property
    def shown(self) -> str:
        """The name as text, also when its bytes are not UTF-8."""
        return os.fsencode(self.name).decode("utf-8", "backslashreplace")

    def __str__(self) -> str:
        """For a sentence: a name may hold line ends, and what a terminal takes for an order."""
        return one_line(f"{self.source}/{self.shown}", LONGEST_PATH)


@dataclass(frozen=True)
class Content:
    """What a file held when it was hashed; stamp tells whether it changed since.

    mark: by what a later run knows the file again without reading it; None when it was written so
    lately that another write could leave the same times.
    """

    sha256: str
    size: int
    stamp: tuple[int, int, int]
    mark: str | None = None


def is_ignored(name: str) -> bool:
    """Hidden files, files of other programs and files still being written."""
    return name.startswith((".", "_")) or name.lower().endswith(UNFINISHED)


def files_of(
    landing: Path, source: str, complain: Callable[[str], None] = lambda _: None
) -> list[LandingFile]:
    """The source's files in the order in which they land, at any depth; links are followed, but to
    no folder that holds what is not the source's own, and not into /proc and /sys.

    complain is told of folders that cannot be opened and of links that are not followed.
    """
    found: list[LandingFile] = []
    folders_seen: set[tuple[int, int]] = set()
    own = (landing / source).resolve()
    # any of these may itself be a link to another disk
    others = (landing.parent.resolve(), landing.resolve())

    def leads_astray(link: Path) -> bool:
        # there the warehouse itself would be set aside, as a file of unknown ending
        target = link.resolve()
        is_inside = any(map(target.is_relative_to, others)) and not target.is_relative_to(own)
        return is_inside or any(other.is_relative_to(target) for other in others)

    def leads_into_the_system(link: Path) -> bool:
        return any(map(link.resolve().is_relative_to, OF_THE_SYSTEM))

    def walk(folder: Path, prefix: str) -> None:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in folders_seen:
                return
            folders_seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            shown = LandingFile(source, prefix, folder)
            complain(f"{shown}: the folder cannot be read ({error.strerror}); skipped.")
            return
        for child in children:
            if is_ignored(child.name):
                continue
            file = LandingFile(source, f"{prefix}{child.name}", Path(child.path))
            try:
                is_folder, is_file = child.is_dir(), child.is_file()
            except OSError as error:
                complain(f"{file}: it cannot be looked at ({error.strerror}); skipped.")
                continue
            if child.is_symlink() and leads_into_the_system(file.path):
                complain(f"{file}: a link to what the system shows of itself; skipped.")
            elif is_folder and child.is_symlink() and leads_astray(file.path):
                complain(f"{file}: a link to other parts of the home; skipped.")
            elif is_folder:
                walk(file.path, f"{file.name}/")
            elif is_file:
                found.append(file)
            else:
                complain(f"{file}: not a file, or a link that leads nowhere; skipped.")

    if (landing / source).is_dir():
        walk(landing / source, "")
    last = LANDING_SOURCES[source].lands_last
    return sorted(found, key=lambda f: (last is not None and last in f.name.lower(), f.name))


def moment_of_arrival(modified_ns: int) -> datetime:
    """When a file arrived, UTC: its time of modification, which moving and renaming leave alone."""
    return datetime.fromtimestamp(modified_ns / 1_000_000_000, UTC).replace(tzinfo=None)


def arrival_day(modified_ns: int, zone: ZoneInfo) -> date:
    """The day of arrival, in the reporting time zone."""
    return datetime.fromtimestamp(modified_ns / 1_000_000_000, zone).date()


def listing(landing: Path, sources: tuple[str, ...]) -> list[tuple[str, str, int, int]]:
    """(source, name, size, modified in nanoseconds) of every file: cheap, opens nothing."""
    rows = []
    for source in sources:
        for file in files_of(landing, source):
            with contextlib.suppress(OSError):
                status = file.path.stat()
                rows.append((source, file.name, status.st_size, status.st_mtime_ns))
    return rows


def newest_change(landing: Path, sources: tuple[str, ...]) -> int:
    """When a file was last written, or put where it lies, in nanoseconds; 0 when there is none."""
    newest = 0
    folders: set[Path] = set()
    for source in sources:
        for file in files_of(landing, source):
            folders.update(file.path.parents[: file.name.count("/") + 1])
            with contextlib.suppress(OSError):
                newest = max(newest, _changed(file.path))
    for folder in folders:
        with contextlib.suppress(OSError):
            newest = max(newest, _moved(folder))
    return newest


def _changed(path: Path) -> int:
    """By the system's own time: that of modification may be kept by copying, or lie in the future.
    Of a link the later one of its own and that of what it leads to."""
    status = path.lstat()
    times = [status] if not stat.S_ISLNK(status.st_mode) else [status, path.stat()]
    return max(one.st_ctime_ns for one in times)


def _moved(folder: Path) -> int:
    """When a folder was put where it lies, which leaves the times of what is in it; 0 where
    something came or went in it since, which sets both of its own times."""
    status = folder.lstat()
    is_moved = stat.S_ISLNK(status.st_mode) or status.st_ctime_ns > status.st_mtime_ns
    return status.st_ctime_ns if is_moved else 0


@contextlib.contextmanager
def several_at_once() -> Iterator[Executor]:
    """Threads for work on files that waits for the disk or goes on without Python's own lock.

    When this is left early, what has not begun never does.
    """
    pool = ThreadPoolExecutor(FILES_AT_ONCE)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def content_of(file: LandingFile) -> Content:
    """Hash the bytes; raises OSError when they cannot be read."""
    before, mark = stamp_of(file), mark_of(file)
    with file.path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size = os.fstat(opened.fileno()).st_size
    return Content(digest, size, before, mark)


def mark_of(file: LandingFile) -> str | None:
    """Size, times of modification and of change, and identity; see Content. Raises OSError.

    The time of change is the system's own: who sets a file's times back moves it forward.
    """
    status = file.path.stat()
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    if time.time_ns() - newest < SETTLED_SECONDS * 1_000_000_000:
        return None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def stamp_of(file: LandingFile) -> tuple[int, int, int]:
    """Size, time of change and identity: equal stamps before and after a read mean that nobody
    wrote meanwhile."""
    status = file.path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{file} is not a file")
    return status.st_size, status.st_mtime_ns, status.st_ino


def check_whole(file: LandingFile, content: Content) -> bytes:
    """Raise Refused when the format is unknown or the file is cut off; the end of a text."""
    if file.suffix is None:
        raise Refused(f"its ending is not known; known are {', '.join(FORMATS)}")
    try:
        file.name.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("its name is not UTF-8; rename it") from None
    if "\\" in str(file.path) and glob.has_magic(str(file.path)):
        raise Refused("its path has a backslash beside one of * ? [; rename it")
    if file.suffix == ".parquet":
        _check_parquet(file, content)
        return b""
    if file.is_gzip:
        return _check_gzip(file, content)
    with file.path.open("rb") as opened:
        head = opened.read(4)
        for mark, what in OTHER_FORMATS.items():
            if head.startswith(mark):
                raise Refused(f"it is no text but {what}")
        opened.seek(max(0, content.size - TAIL_BYTES))
        return opened.read(TAIL_BYTES)


def _check_parquet(file: LandingFile, content: Content) -> None:
    # head mark, tail mark and the length of the footer between them
    if content.size < 12:
        raise Refused(f"it has {content.size} bytes, too few for a Parquet file: cut off")
    with file.path.open("rb") as opened:
        head = opened.read(4)
        opened.seek(-4, os.SEEK_END)
        tail = opened.read(4)
    if head == b"PARE" or tail == b"PARE":
        raise Refused("it is an encrypted Parquet file; write it without encryption")
    if head != b"PAR1":
        raise Refused("it is not a Parquet file (the mark at its beginning is missing)")
    if tail != b"PAR1":
        raise Refused("the Parquet file is cut off (the mark at its end is missing)")


def _check_gzip(file: LandingFile, content: Content) -> bytes:
    # DuckDB does not compare the checksum, so a damaged file would give wrong rows
    if content.size == 0:
        raise Refused("it has no bytes at all, not even a gzip header")
    tail = b""
    try:
        with gzip.open(file.path, "rb") as opened:
            while block := opened.read(1 << 20):
                tail = (tail + block)[-TAIL_BYTES:]
    except EOFError:
        raise Refused("the gzip file is cut off (its end is missing)") from None
    except gzip.BadGzipFile as error:
        raise Refused(f"it is not a whole gzip file ({error})") from None
    except zlib.error as error:
        raise Refused(f"its compressed data is damaged ({error})") from None
    return tail


def move_aside(landing: Path, file: LandingFile, reason: str) -> Path:
    """Move the file below _set_aside/<source>/ with the reason beside it; raises OSError.

    Where an earlier file has the name, below a numbered folder.
    """
    folder = landing / SET_ASIDE_FOLDER / file.source
    target, number = folder / file.name, 1
    while os.path.lexists(target):
        number += 1
        target = folder / str(number) / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    note = _reason_path(target)
    note.write_text(reason + "\n", encoding="utf-8", errors="backslashreplace")
    try:
        shutil.move(file.path, target)
    except OSError:
        note.unlink(missing_ok=True)
        raise
    return target


def _reason_path(target: Path) -> Path:
    name, ending = target.name, ".reason.txt"
    while len(os.fsencode(name + ending)) > LONGEST_NAME:
        name = name[:-1]
    return target.with_name(name + ending)
