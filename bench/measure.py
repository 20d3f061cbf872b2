"""Running a command and saying what it took: wall clock, processor time, memory of its whole tree.

Belongs here: the measuring itself, and the description of the machine. Does not belong here: which
commands (stages.py).
"""

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SAMPLE_SECONDS = 0.1
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster")


class RunFailedError(Exception):
    """A measured command ended with an error; the message holds the end of what it said."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command took. memory: the largest sum over the process and its children."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    output: str = ""


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], threads: int) -> Cost:
    """Run the command on `threads` cores. Raises RunFailedError when it ends with an error.

    An interrupt ends the command too, with all that it has started.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=lambda: _keep_to(threads),
        # a group of its own, which can be ended as a whole
        start_new_session=True,
    )
    watch = _Watch(process.pid)
    watch.start()
    try:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        watch.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RunFailedError(
            f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}"
        )
    # Only where there is nothing to watch: the kernel's own figure is at least what this process
    # had when it started the command. It is in kibibytes, but on macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        memory_bytes=watch.most or usage.ru_maxrss * unit,
        output=output,
    )


def cores() -> int:
    """Cores that this process may use, and so the commands that it runs."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> dict[str, str]:
    """What the figures depend on, without names of hosts or people."""
    said = {
        "cores": str(os.cpu_count()),
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            said[package] = version(package)
        except PackageNotFoundError:
            continue
    return said


def bytes_below(folder: Path) -> int:
    """Bytes of all files below the folder; links count for nothing."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


def _keep_to(threads: int) -> None:
    # DuckDB, dbt and the others ask how many cores they have
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class _Watch(threading.Thread):
    """Adds up the memory of a process and its children, again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.most = 0

    def run(self) -> None:
        while True:
            self.most = max(self.most, _tree_bytes(self._pid), _peak_bytes(self._pid))
            if self._over.wait(SAMPLE_SECONDS):
                return

    def stop(self) -> None:
        self._over.set()
        self.join()


def _tree_bytes(pid: int) -> int:
    """Resident bytes of the process and all below it; 0 where the system does not tell."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError, IndexError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def _peak_bytes(pid: int) -> int:
    """The most that the process alone has had so far, also between two looks at it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
