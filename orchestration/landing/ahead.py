"""Large files are read through while a run gets ready, which keeps one core busy for seconds.

Belongs here: the process that hashes and checks them, and what it hands over.
Does not belong here: deciding what lands, and what is said of a bad file (run.py): a file that
could not be read through is met there as if nobody had looked.

Only for the first landing of a home, when every file is new: later the ledger says which are, and
a night's files take no time worth it. A process, since a thread would wait for Python's lock at
each turn while dbt reads its project.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from orchestration.landing import kept, reading
from orchestration.landing.columns import Refused
from orchestration.landing.files import (
    Content,
    LandingFile,
    check_whole,
    content_of,
    files_of,
    stamp_of,
)
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources import SOURCES


@dataclass
class Findings:
    """What was found: the content of the file at a path, and by a content's SHA-256 what reading
    every value of it has shown."""

    contents: dict[Path, Content] = field(default_factory=dict)
    checked: dict[str, kept.Checked] = field(default_factory=dict)

    def content_of(self, file: LandingFile) -> Content:
        """As files.content_of; hashes only what was not hashed or was written to since."""
        found = self.contents.get(file.path)
        return found if found is not None and found.stamp == stamp_of(file) else content_of(file)


@contextlib.contextmanager
def looking_ahead(settings: Settings) -> Iterator[None]:
    """While the block runs, and until a landing in it asks for the findings, files are read."""
    if settings.warehouse.exists() or not any(_large_files(settings.landing)):
        yield
        return
    # not a pipe, which would stop the process once it is full
    with tempfile.TemporaryFile() as said:
        look = _Look(settings.landing, said)
        token = _look.set(look)
        try:
            yield
        finally:
            _look.reset(token)
            look.end()


def findings() -> Findings:
    """End the look that is going on, if one is; what it has found."""
    look = _look.get()
    return look.end() if look else Findings()


class _Look:
    def __init__(self, landing: Path, said: BinaryIO) -> None:
        self._landing, self._said = landing, said
        self._findings: Findings | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import look_through; look_through()", landing],
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> Findings:
        if self._findings is None:
            self._process.kill()
            self._process.wait()
            self._said.seek(0)
            self._findings = Findings()
            # the last line may be cut off
            for line in self._said.read().split(b"\n")[:-1]:
                self._take(self._findings, json.loads(line))
        return self._findings

    def _take(self, findings: Findings, found: dict[str, Any]) -> None:
        content = Content(**{**found["content"], "stamp": tuple(found["content"]["stamp"])})
        path = self._landing / os.fsdecode(bytes.fromhex(found["path"]))
        findings.contents[path] = content
        if found["checked"]:
            findings.checked[content.sha256] = kept.Checked(**found["checked"])


_look: ContextVar[_Look | None] = ContextVar("look", default=None)


def _large_files(landing: Path) -> Iterator[LandingFile]:
    for source in SOURCES:
        for file in files_of(landing, source):
            with contextlib.suppress(OSError):
                if file.suffix == ".parquet" and file.path.stat().st_size >= kept.KEPT_FROM_BYTES:
                    yield file


def look_through() -> None:
    """Read the files below the landing folder that the arguments of this process name; what is
    found of each becomes a line of JSON."""
    landing = Path(sys.argv[1])
    # the run itself has work for the other core
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set TimeZone = 'UTC'")
        for file in _large_files(landing):
            with contextlib.suppress(OSError, Refused, duckdb.Error):
                content = content_of(file)
                checked = _checked(con, file, content)
                if stamp_of(file) == content.stamp:
                    found = {
                        # a name need not be UTF-8
                        "path": os.fsencode(file.path.relative_to(landing)).hex(),
                        "content": asdict(content),
                        "checked": checked and asdict(checked),
                    }
                    print(json.dumps(found), flush=True)


def _checked(
    con: duckdb.DuckDBPyConnection, file: LandingFile, content: Content
) -> kept.Checked | None:
    shape = reading.shape_of(con, file, check_whole(file, content))
    if not kept.may_be_kept(file, content.size, shape):
        return None
    return kept.check_where_it_lies(con, file)
