"""Where everything lives: typed settings, read once from the environment.

Belongs here: the environment variables, their checks, and every path derived from the home.
Does not belong here: policy numbers (dbt vars, checked in policy.py), opening files.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestration.errors import IntentMapError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SHIPPED_SEEDS = PROJECT_ROOT / "seeds"
# what people and tools open, in the folder `serving`
SERVING_FILE = "intent_map.duckdb"
DASHBOARD_FILE = "dashboard.html"
# what was published last; its absence means that nothing was
MANIFEST_FILE = "manifest.json"
TARGETS = ("duckdb",)

# in the name of a folder, what databases read as something else in a path
UNFIT_IN_HOME = r"[=?#\\]|%[0-9A-Fa-f]{2}"

# words and numbers, read here, by profiles.yml or by dbt itself: name -> (form, examples)
MACHINE_SWITCHES = {
    "DBT_LOG_LEVEL_FILE": ("debug|info|warn|error|none", "debug or info"),
    "INTENT_MAP_THREADS": (r"[1-9][0-9]{0,2}", "2"),
    "INTENT_MAP_LOG_DAYS": (r"[1-9][0-9]{0,4}", "90"),
    "INTENT_MAP_MEMORY_LIMIT": (
        r"(?=[0-9.]*[1-9])([0-9]+(\.[0-9]+)?\s*[KMGT]i?B|(100|[0-9]{1,2}(\.[0-9]+)?)\s*%)",
        "4GB or 80%",
    ),
}

# with less not even a night of two events comes to its end
LEAST_MEMORY = 32_000_000
LEAST_PERCENT = 1


@dataclass(frozen=True)
class Settings:
    """The settings of one home.

    home: folder of all state. seeds: folder of the business files. target: dbt target name.
    dbt_vars: overrides of policy vars for this run. hash_key: key of the id hashes in the
    published files, None when unset. webhook: address that early warnings go to, None when unset.
    log_days: how long the logs of single runs are kept.
    """

    home: Path
    seeds: Path
    target: str = "duckdb"
    dbt_vars: dict[str, Any] = field(default_factory=dict)
    hash_key: str | None = None
    webhook: str | None = None
    log_days: int = 90

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse" / "intent_map.duckdb"

    @property
    def restoring(self) -> Path:
        """Where a restore puts the warehouse together before it gives it its name."""
        return self.home / "warehouse.unfinished"

    @property
    def replaced(self) -> Path:
        """Warehouses that a restore put aside."""
        return self.home / "replaced"

    @property
    def serving(self) -> Path:
        return self.home / "serving"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target_path(self) -> Path:
        return self.home / "dbt" / "target"

    @property
    def dbt_log_path(self) -> Path:
        return self.home / "dbt" / "logs"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; raises IntentMapError that names the variable at fault."""
    env = os.environ if environ is None else environ
    home = _home(env)
    seeds = _folder(env, "INTENT_MAP_SEEDS", SHIPPED_SEEDS)
    target = env.get("INTENT_MAP_TARGET") or "duckdb"
    if target not in TARGETS:
        raise IntentMapError(
            f"INTENT_MAP_TARGET is '{target}'; known targets are: {', '.join(TARGETS)}."
        )
    if not _is(Path.is_dir, seeds):
        raise IntentMapError(f"INTENT_MAP_SEEDS is '{seeds}', which is not a folder.")
    for name, (form, example) in MACHINE_SWITCHES.items():
        if env.get(name) and not re.fullmatch(form, env[name], re.IGNORECASE):
            raise IntentMapError(f"{name} is '{env[name]}'; write it like {example}.")
    _refuse_too_little_memory(env.get("INTENT_MAP_MEMORY_LIMIT"))
    _refuse_dagster_home(env.get("DAGSTER_HOME"))
    return Settings(
        home=home,
        seeds=seeds,
        target=target,
        dbt_vars=_read_vars(env.get("INTENT_MAP_VARS")),
        hash_key=env.get("INTENT_MAP_HASH_KEY") or None,
        webhook=_web_address(env, "INTENT_MAP_WEBHOOK"),
        log_days=int(env.get("INTENT_MAP_LOG_DAYS") or 90),
    )


def _home(env: Mapping[str, str]) -> Path:
    home = _folder(env, "INTENT_MAP_HOME", PROJECT_ROOT / "home")
    # DuckDB reads country=de in a path as a column of every Parquet file below it, which takes the
    # place of the file's own; the others lead it, dbt or SQLite to another path
    unfit = next((part for part in home.parts if re.search(UNFIT_IN_HOME, part)), None)
    if unfit:
        raise IntentMapError(
            f"INTENT_MAP_HOME is '{home}', and the name '{unfit}' in it holds =, ?, #, a backslash "
            "or % with two digits, which mean something else in the paths of databases: country=de "
            "would change the column country. Name a folder whose whole path has none of these."
        )
    in_the_way = next((path for path in (home, *home.parents) if _is(Path.is_file, path)), None)
    if in_the_way:
        raise IntentMapError(
            f"INTENT_MAP_HOME is '{home}', but '{in_the_way}' is a file where a folder must be. "
            "Name another folder, or move that file away."
        )
    return home


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    """Whether the path is of this kind; what may not be looked at is none."""
    try:
        return kind(path)
    except OSError:
        return False


def _refuse_too_little_memory(text: str | None) -> None:
    """text: in the form of MACHINE_SWITCHES."""
    if not text:
        return
    number, unit = re.fullmatch(r"([0-9.]+)\s*(\S+)", text).groups()
    base = 1024 if "i" in unit.lower() else 1000
    least, one = (
        (LEAST_PERCENT, 1)
        if unit == "%"
        else (LEAST_MEMORY, base ** (1 + "KMGT".index(unit[0].upper())))
    )
    if float(number) * one < least:
        raise IntentMapError(
            f"INTENT_MAP_MEMORY_LIMIT is '{text}', and no run comes to its end with less than "
            f"{LEAST_MEMORY // 1_000_000}MB or {LEAST_PERCENT}%; write it like 4GB or 80%."
        )


def _refuse_dagster_home(text: str | None) -> None:
    """Dagster makes no instance in a folder that is not there, nor in one named from elsewhere."""
    if text and not (Path(text).is_absolute() and _is(Path.is_dir, Path(text))):
        raise IntentMapError(
            f"DAGSTER_HOME is '{text}'; it must be the whole path of a folder that is there. Leave "
            "it unset to keep Dagster's state in the home."
        )


def _folder(env: Mapping[str, str], name: str, default: Path) -> Path:
    try:
        return Path(env.get(name) or default).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise IntentMapError(
            f"{name} is '{env[name]}', which names no folder: {reason}."
        ) from error


def _web_address(env: Mapping[str, str], name: str) -> str | None:
    address = env.get(name) or None
    # the address is not shown: such addresses often carry a secret
    if address and not _is_web_address(address):
        raise IntentMapError(
            f"{name} is no web address; write it like https://chat.example.com/hooks/abc."
        )
    return address


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        # a port that is no number is found when it is asked for
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and parts.scheme in ("http", "https") and not re.search(r"\s", address)


def _read_vars(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        values = json.loads(text, object_pairs_hook=_each_name_once)
    except RecursionError as error:
        raise IntentMapError("INTENT_MAP_VARS is nested too deep to be read.") from error
    except ValueError as error:
        # of a number of thousands of digits Python says how to allow it
        reason = str(error).partition("; use sys.")[0]
        raise IntentMapError(f"INTENT_MAP_VARS is not valid JSON: {reason}.") from error
    if not isinstance(values, dict):
        raise IntentMapError(
            'INTENT_MAP_VARS must be a JSON object such as {"session_timeout_minutes": 20}.'
        )
    return values


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members; JSON itself takes the last of two with one name silently."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise IntentMapError(f"INTENT_MAP_VARS names '{twice}' twice; keep one of them.")
    return values
