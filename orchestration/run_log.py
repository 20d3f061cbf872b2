"""What a run from the command line shows: short lines for people, everything else to a file.

Belongs here: the Dagster logger that such runs use. Does not belong here: what steps say
(defs/), starting runs (runs.py).
"""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dagster import DagsterEvent, DagsterEventType, InitLoggerContext, logger

from orchestration.one_line import harmless

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5

_handlers: ContextVar[tuple[logging.Handler, ...]] = ContextVar("handlers", default=())


@contextlib.contextmanager
def reporting(report: Callable[[str], None], file: Path) -> Iterator[None]:
    """Runs inside the block send their lines to `report` and their whole log to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    to_file = RotatingFileHandler(
        file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True
    )
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = _handlers.set((_Lines(report), to_file))
    try:
        yield
    finally:
        _handlers.reset(before)
        to_file.close()


@logger(description="Short lines to the terminal, the whole log to a file in the home.")
def run_log(_: InitLoggerContext) -> logging.Logger:
    # not from logging.getLogger: that one would gather handlers run by run
    log = logging.Logger("intent_map", level=logging.DEBUG)
    for handler in _handlers.get():
        log.addHandler(handler)
    return log


class _Lines(logging.Handler):
    """What steps say, with a line when a step begins, ends or is tried again."""

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__(level=logging.DEBUG)
        self._report = report
        self._began: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None)
        if meta is None:
            return
        event: DagsterEvent | None = meta.get("dagster_event")
        if event is None:
            # without a step it is Dagster itself that speaks
            said = str(meta["orig_message"])
            # the step that failed has told why, and is named here once for each of its tables
            if said.startswith("Dependencies for step "):
                self._report(f"{meta['step_key']} is left out.")
            elif record.levelno >= logging.INFO and meta.get("step_key"):
                self._report(f"  {harmless(said)}")
            return
        # the nightly models run in parts around the valuation: one name for all of them
        step = re.sub(r"_\d+$", "", event.step_key or "")
        if event.event_type == DagsterEventType.STEP_START:
            self._began[step] = time.monotonic()
            self._report(f"{step} ...")
        elif event.event_type == DagsterEventType.STEP_SUCCESS:
            seconds = time.monotonic() - self._began.pop(step, time.monotonic())
            self._report(f"{step} done in {seconds:.1f} s")
        elif event.event_type == DagsterEventType.STEP_UP_FOR_RETRY:
            self._report(f"{step} did not work and is tried again soon")
