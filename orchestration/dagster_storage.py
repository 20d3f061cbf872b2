"""Where Dagster keeps its own state: in the home, like everything else.

Belongs here: the storage classes that dagster.yaml names, each Dagster's own class with its folder
taken from the settings. Does not belong here: what runs (defs/), starting runs (runs.py).

A path written into dagster.yaml could not follow INTENT_MAP_HOME, and Dagster's {env: ...} fails
while the variable is unset; so the folder is looked up in code, at <home>/dagster.
"""

from typing import Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from orchestration.errors import IntentMapError
from orchestration.settings import load_settings


def storage_folder() -> str:
    """<home>/dagster, made when missing; raises IntentMapError when it cannot be."""
    folder = load_settings().dagster_home
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IntentMapError(
            f"The home {folder.parent} cannot be written ({error.strerror}). Give this user write "
            "permission there, or set INTENT_MAP_HOME to a folder that has it."
        ) from error
    return str(folder)


class HomeStorage(DagsterSqliteStorage):
    """Runs, events, schedules and their ticks in SQLite files below the home."""

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
