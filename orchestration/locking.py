"""One writer at a time: the lock of a home.

Belongs here: writer_lock, which every step that opens the warehouse for writing goes through, the
wait for somebody who holds the warehouse file without it (an open notebook), and their errors.
Does not belong here: queueing of Dagster runs (dagster.yaml), publishing (publishing/).

The lock is the kernel's (flock on <home>/intent_map.lock): it ends with its process, so a killed
run leaves nothing to clean. The file's text only says who holds it.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.settings import MANIFEST_FILE, SERVING_FILE, Settings

LOCK_FILE = "intent_map.lock"
WAIT_SECONDS = 3600.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
COMMAND_SHOWN = 120


class HeldError(IntentMapError):
    """Somebody else has the home or the warehouse file: later it is free again."""


class UnreadableError(IntentMapError):
    """The warehouse file is there and cannot be opened, whoever asks and however long."""


# job and run of Dagster that this process is at, which its command does not tell
_run: list[str] = []

# (lock file, thread) -> how deep this thread is inside; a step inside a held run enters again
_depths: dict[tuple[Path, int], int] = {}


@contextlib.contextmanager
def as_run(job: str, run_id: str) -> Iterator[None]:
    """Locks taken inside name this run of Dagster to those who wait."""
    # Dagster's own names of what was chosen table by table begin so
    of = "" if job.startswith("__") else f" of {job}"
    _run.append(f"Dagster's run {run_id}{of}")
    try:
        yield
    finally:
        _run.pop()


@contextlib.contextmanager
def writer_lock(
    settings: Settings,
    what: str,
    wait_seconds: float = WAIT_SECONDS,
    report: Callable[[str], None] = print,
    restores: bool = False,
    to_replace: bool = False,
) -> Iterator[None]:
    """Hold the home's writer lock while the block runs; entering again inside it is free.

    what: a word or two that others who wait are told, such as "landing". restores: it puts a
    warehouse in place, as one before it may have failed to. to_replace: the warehouse file is put
    aside, so it need not be readable.
    Waits with growing pauses and reports once who holds it; then also waits until no other program
    has the warehouse file open. Raises HeldError after wait_seconds, naming the holder,
    UnreadableError, or IntentMapError when the home cannot be written or its warehouse is gone.
    """
    path = settings.home / LOCK_FILE
    me = (path, threading.get_ident())
    if me in _depths:
        _depths[me] += 1
        try:
            yield
        finally:
            _depths[me] -= 1
        return

    deadline = time.monotonic() + wait_seconds
    with file_lock(path, what, wait_seconds, report):
        if not restores and (why := missing_warehouse(settings)):
            raise IntentMapError(why)
        try:
            wait_for_warehouse(settings, wait_seconds, report, deadline)
        except UnreadableError:
            if not to_replace:
                raise
        _depths[me] = 1
        try:
            yield
        finally:
            del _depths[me]


@contextlib.contextmanager
def file_lock(
    path: Path,
    what: str,
    wait_seconds: float = WAIT_SECONDS,
    report: Callable[[str], None] = print,
) -> Iterator[None]:
    """Hold the lock of one file, made when missing; waits and raises as writer_lock does."""
    handle = _open(path)
    try:
        _acquire(handle, path, wait_seconds, report)
        _describe(handle, what)
        try:
            yield
        finally:
            _describe(handle, None)
    finally:
        os.close(handle)


def wait_for_warehouse(
    settings: Settings,
    wait_seconds: float = WAIT_SECONDS,
    report: Callable[[str], None] = print,
    deadline: float | None = None,
) -> None:
    """Return when the warehouse file can be opened for writing, or is not there yet.

    Raises HeldError that names the process which keeps the file open after wait_seconds, or
    UnreadableError when the file may not be written or cannot be read.
    """
    deadline = time.monotonic() + wait_seconds if deadline is None else deadline
    warehouse = settings.warehouse
    pauses = _pauses()
    told = False
    while warehouse.exists():
        try:
            duckdb.connect(str(warehouse)).close()
            return
        except duckdb.ConnectionException:
            # open in this very process
            return
        except duckdb.Error as error:
            holder = holder_of_file(str(error))
            if holder is None:
                raise UnreadableError(
                    f"The warehouse file {warehouse} cannot be opened: {first_line(error)}"
                ) from error
        if time.monotonic() >= deadline:
            raise HeldError(
                f"The warehouse file {warehouse} is kept open by {holder}, still after "
                f"{wait_seconds:g} s. Close it there and run again; to read while runs write, "
                f"open {settings.serving / SERVING_FILE} instead."
            )
        if not told:
            report(f"Waiting: the warehouse file is open in {holder}.")
            told = True
        time.sleep(_until(deadline, next(pauses)))


def missing_warehouse(settings: Settings) -> str | None:
    """What to say of a warehouse that was there and is not, None elsewhere: a run would begin
    another history there, of what lies in landing/ alone, and publish it."""
    if settings.warehouse.exists():
        return None
    if settings.restoring.exists():
        return (
            f"A restore into {settings.home} was killed, so there is no warehouse in it. Run the "
            "same `intent-map restore` again; what was here before a --force is in the newest "
            f"folder below {settings.home / 'replaced'}. To begin with an empty warehouse instead, "
            f"remove {settings.restoring}."
        )
    manifest = settings.serving / MANIFEST_FILE
    if manifest.exists():
        return (
            f"{settings.warehouse} is not there, though marts were published from it. Put it back, "
            "or get a backup by `intent-map restore`. To begin another history, of what lies in "
            f"{settings.landing} alone, remove {manifest}."
        )
    return None


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if path.exists():
            # left by another user, as by one command under sudo
            raise IntentMapError(
                f"The file {path} cannot be written ({error.strerror}). Give it, and whatever else "
                f"in {path.parent} is another user's, to this user."
            ) from error
        raise IntentMapError(
            f"The folder {path.parent} cannot be written ({error.strerror}). Give this user write "
            "permission there, or set INTENT_MAP_HOME to a folder that has it."
        ) from error


def _acquire(
    handle: int,
    path: Path,
    wait_seconds: float,
    report: Callable[[str], None],
) -> None:
    deadline = time.monotonic() + wait_seconds
    pauses = _pauses()
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise IntentMapError(
                    f"{path} cannot be locked ({error.strerror}). INTENT_MAP_HOME must be on a "
                    "file system that supports locks, such as a local disk."
                ) from error
        holder = _read_holder(handle)
        if time.monotonic() >= deadline:
            raise HeldError(
                f"Another run holds {path.parent}: {holder}, still after {wait_seconds:g} s. "
                "Wait until it ends, or end that process, and run again."
            )
        if not told:
            report(f"Waiting: another run holds {path.parent} ({holder}).")
            told = True
        time.sleep(_until(deadline, next(pauses)))


def _describe(handle: int, what: str | None) -> None:
    # a full disk must not keep anybody from the lock: the text is only for those who wait
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        if what is not None:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            held = {"pid": os.getpid(), "what": what, "since": since}
            text = json.dumps(held | ({"run": _run[-1]} if _run else {}))
            os.pwrite(handle, text.encode(), 0)


def _read_holder(handle: int) -> str:
    try:
        held = json.loads(os.pread(handle, 4096, 0))
        command = held.get("run") or _command_of(held["pid"])
        pid = f"process {held['pid']}" + (f" ({command})" if command else "")
        return f"{pid}, {held['what']}, since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said yet what it does"


def is_of_lock(message: str) -> bool:
    """Whether DuckDB says with it that another process has the file open."""
    return "Could not set lock on file" in message


def holder_of_file(message: str) -> str | None:
    """The process that DuckDB's lock error names, and how it was started; None for any other
    error."""
    if not is_of_lock(message):
        return None
    found = re.search(r"held in (.*?)\s*\(PID (\d+)\)", message)
    if not found:
        return "another process"
    return f"process {found.group(2)} ({_command_of(int(found.group(2))) or found.group(1)})"


def _command_of(pid: int) -> str | None:
    """How a process was started, None where the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    # a program given as text can be long, and has lines
    command = " ".join(" ".join(words).split())
    return command if len(command) <= COMMAND_SHOWN else command[:COMMAND_SHOWN] + " ..."


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.6, LONGEST_PAUSE_SECONDS)


def _until(deadline: float, pause: float) -> float:
    return max(0.01, min(pause, deadline - time.monotonic()))
