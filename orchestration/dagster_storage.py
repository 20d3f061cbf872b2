"""Where Dagster keeps its own state: in the home, like everything else.

Belongs here: the storage classes that dagster.yaml names, each Dagster's own class with its folder
taken from the settings. Does not belong here: what runs (defs/), starting runs (runs.py).

A path written into dagster.yaml could not follow INTENT_MAP_HOME, and Dagster's {env: ...} fails
while the variable is unset; so the folder is looked up in code, at <home>/dagster.
"""

import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click import ClickException
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from orchestration.errors import IntentMapError
from orchestration.settings import load_settings


class StorageError(IntentMapError, ClickException):
    """A problem that the user can mend. Dagster's commands ask for the folder before they begin,
    and print what click knows without a traceback."""


def storage_folder() -> str:
    """<home>/dagster, made when missing; raises StorageError on an impossible setting, and when it
    cannot be written."""
    try:
        return _folder_made()
    except IntentMapError as error:
        raise StorageError(str(error)) from error


def _folder_made() -> str:
    folder = load_settings().dagster_home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # SQLite would only say that it cannot open a file
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise IntentMapError(
            f"The home {folder.parent} cannot be written ({error.strerror}). Give this user write "
            "permission there, or set INTENT_MAP_HOME to a folder that has it."
        ) from error
    return str(folder)


class EventLog(SqliteEventLogStorage):
    """Dagster's event log with its files kept open.

    A night writes some five hundred events. Dagster opens, flushes and closes a file for each of
    them, which took longer than the models of an empty night. In write-ahead mode a commit needs
    no flush to be safe from corruption; a power cut can cost the last lines of the log.
    """

    # the index and the runs that are written or looked at
    OPEN_FILES = 8

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection:
                file = connection.connection.driver_connection
                before = file.total_changes
                with connection.begin():
                    yield connection
                wrote = file.total_changes > before
            if wrote and shard != INDEX_SHARD_NAME:
                # who watches a run in the UI waits for the file itself to change
                os.utime(self.path_for_shard(shard))

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        while len(self._engines) >= self.OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _flush_at_checkpoints_only)
        self._engines[shard] = engine
        return engine

    def dispose(self) -> None:
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()


def _flush_at_checkpoints_only(connection: Any, _: Any) -> None:
    connection.execute("pragma synchronous = normal")


class HomeStorage(DagsterSqliteStorage):
    """Runs, events, schedules and their ticks in SQLite files below the home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(f"{base_dir}/history/runs/")

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "HomeStorage":
        return cls.from_local(base_dir=storage_folder(), inst_data=inst_data)


class HomeArtifactStorage(LocalArtifactStorage):
    """Values that steps hand on; none of our steps does, but Dagster wants the folder."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "HomeArtifactStorage":
        return cls(base_dir=storage_folder(), inst_data=inst_data)


class HomeComputeLogManager(LocalComputeLogManager):
    """What steps write to stdout and stderr."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "HomeComputeLogManager":
        return cls(base_dir=f"{storage_folder()}/storage", inst_data=inst_data)
