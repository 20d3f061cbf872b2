"""Logs that are old enough to go: Dagster's files of single runs, and the error log.

Belongs here: which files, and how old they must be. Does not belong here: logs that their writers
bound themselves (dbt.log, runs.log), ticks (dagster.yaml), the list of runs, which stays whole.
"""

import contextlib
import shutil
import time
from pathlib import Path

from orchestration.settings import Settings

DAY = 24 * 60 * 60
ERROR_LOG_BYTES = 1024 * 1024
# shared by all runs
INDEX = "index.db"


def remove_old_logs(settings: Settings, now: float | None = None) -> int:
    """Remove what single runs left behind more than log_days ago; returns how many runs that were.

    The run, its times, materialisations and checks stay in the UI; its single events and what its
    steps printed go. Never raises: a log that cannot be removed must not cost a night.
    """
    before = (time.time() if now is None else now) - settings.log_days * DAY
    history, printed = settings.dagster_home / "history" / "runs", settings.dagster_home / "storage"
    runs = set()
    for path in [*_children(history), *_children(printed)]:
        if path.name.startswith(INDEX) or _touched(path) >= before:
            continue
        # SQLite's side files carry the name of theirs
        runs.add(path.name.split(".db")[0])
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    _rotate(settings.home / "logs" / "error.log")
    return len(runs)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _touched(path: Path) -> float:
    """When something in it was written last; a folder's own time does not tell."""
    try:
        inside = path.rglob("*") if path.is_dir() else []
        return max(one.stat().st_mtime for one in (path, *inside))
    except OSError:
        return time.time()


def _rotate(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > ERROR_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
