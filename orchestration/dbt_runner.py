"""How dbt is called: argument lists, environment, one run, and the manifest.

Belongs here: pure functions that build the argument lists, and the one place that runs dbt.
Does not belong here: which Dagster assets a run covers (defs/dbt_assets.py), when everything must
be built anew (fingerprint.py), the meaning of policy vars (dbt_project.yml).

dbt runs inside this process. That saves two program starts of three seconds each per run, and a
killed run takes dbt with it, so nothing goes on writing behind the lock's back.
"""

import contextlib
import hashlib
import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from orchestration.business_files import refuse_what_dbt_cannot_read
from orchestration.errors import IntentMapError
from orchestration.garbage import garbage_left
from orchestration.landing import attachments
from orchestration.locking import file_lock, is_of_lock
from orchestration.one_line import in_short, one_line
from orchestration.policy import effective_vars
from orchestration.restatement import Restatement
from orchestration.settings import PROJECT_ROOT, SHIPPED_SEEDS, Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
PROFILES_DIR = PROJECT_ROOT
TESTS_DIR = PROJECT_ROOT / "tests" / "dbt"

Clock = Literal["nightly", "quarterly", "none"]
QUARTERLY = "quarterly"
QUARTERLY_TAG = f"tag:{QUARTERLY}"
PARTIAL_PARSE = "partial_parse.msgpack"
LOG_FILE_BYTES = 20 * 1024 * 1024
REST_SECONDS = 30

# policy vars that the definitions need at import, when only the manifest may be read
VARS_IN_MANIFEST = ("reporting_time_zone", "project_start_date", "arrival_days_offered")

NODE_RESULTS = ("LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult")
# how DuckDB begins the message of a query that found no room within the memory limit
NO_MEMORY = "Out of Memory Error"
LONGEST_ROW_SAID = 300


class DbtError(IntentMapError):
    """dbt stopped. is_transient: trying again later may help (the file was open elsewhere)."""

    def __init__(self, message: str, is_transient: bool = False) -> None:
        super().__init__(message)
        self.is_transient = is_transient


def environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt_project.yml and profiles.yml read, with absolute paths."""
    # the shipped folder keeps its relative name: dbt_project.yml names it once more, as the home
    # of the seeds' YAML, and dbt would otherwise take it for two folders
    seeds = "../seeds" if settings.seeds == SHIPPED_SEEDS else str(settings.seeds)
    return {
        "INTENT_MAP_HOME": str(settings.home),
        "INTENT_MAP_SEEDS": seeds,
        "INTENT_MAP_TARGET": settings.target,
        "INTENT_MAP_ATTACH": json.dumps(attachments(settings)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def parse_args(settings: Settings) -> list[str]:
    """Read the project and write its manifest, without a connection."""
    return ["parse", *_common_args(settings, "parse"), *_vars_args(settings.dbt_vars)]


def nightly_args(
    settings: Settings,
    select: Sequence[str] | None = None,
    full_refresh: bool = False,
    leave: Sequence[str] = (),
    among: Mapping[str, Clock] | None = None,
) -> list[str]:
    """Build seeds, models and data tests of the nightly clock; select: node names, None = all but
    those in leave; among: what clocks says of all nodes, where that is known."""
    return [
        *_build_args(settings, "nightly"),
        *_vars_args(settings.dbt_vars),
        *_selection(select, ["--exclude", QUARTERLY_TAG, *leave], among, "nightly"),
        *(["--full-refresh"] if full_refresh else []),
    ]


def quarterly_args(
    settings: Settings,
    version_date: date,
    select: Sequence[str] | None = None,
    restatement: Restatement | None = None,
    among: Mapping[str, Clock] | None = None,
) -> list[str]:
    """Value the time before version_date; nothing from that day on is read. select and among: as
    of nightly_args."""
    dbt_vars = {**settings.dbt_vars, "version_date": version_date.isoformat()}
    if restatement:
        dbt_vars |= restatement.as_vars()
    return [
        *_build_args(settings, "quarterly"),
        *_vars_args(dbt_vars),
        *_selection(select, ["--select", QUARTERLY_TAG], among, "quarterly"),
    ]


def _build_args(settings: Settings, clock: str) -> list[str]:
    # unit tests prove code, not data, and take as long as all the rest; and dbt would write its
    # manifest twice per build, which nobody reads
    common = _common_args(settings, clock)
    return ["build", *common, "--no-write-json", "--exclude-resource-type", "unit_test"]


def _common_args(settings: Settings, clock: str) -> list[str]:
    # a target folder per clock: other vars would throw away the other's parsed project
    return [
        "--project-dir",
        str(PROJECT_DIR),
        "--profiles-dir",
        str(PROFILES_DIR),
        "--target",
        settings.target,
        "--target-path",
        str(target_path(settings, clock)),
        "--log-path",
        str(settings.dbt_log_path),
        "--log-level",
        "none",
        "--log-file-max-bytes",
        str(LOG_FILE_BYTES),
        "--no-use-colors",
    ]


def _vars_args(dbt_vars: Mapping[str, Any]) -> list[str]:
    return ["--vars", json.dumps(dict(dbt_vars), sort_keys=True)] if dbt_vars else []


def is_quarterly(node: Mapping[str, Any]) -> bool:
    """Whether a node itself has the tag."""
    return QUARTERLY in (node["config"].get("tags") or ())


def clocks(manifest: Mapping[str, Any]) -> dict[str, Clock]:
    """By name, each node that a build may run: the clock that dbt's own choice by tag builds it
    with, which takes a data test along with any table it reads."""
    nodes = manifest["nodes"]
    tagged = {unique_id for unique_id, node in nodes.items() if is_quarterly(node)}
    found: dict[str, Clock] = {}
    for unique_id, node in nodes.items():
        if node["resource_type"] == "test":
            reads = node["depends_on"]["nodes"]
            found[node["name"]] = (
                "none" if not reads else "nightly" if tagged.isdisjoint(reads) else "quarterly"
            )
        elif node["resource_type"] in ("model", "seed", "snapshot"):
            found[node["name"]] = "quarterly" if unique_id in tagged else "nightly"
    return found


def _selection(
    select: Sequence[str] | None,
    default: list[str],
    among: Mapping[str, Clock] | None,
    clock: Clock,
) -> list[str]:
    if select is None:
        return default
    chosen, among = {*select}, among or {}
    # dbt goes through the whole project for each name
    if chosen == {name for name, of in among.items() if of == clock}:
        idle = sorted(name for name, of in among.items() if of == "none")
        return [*default, *(idle if clock == "nightly" else ())]
    # by name, tests too: dbt's own choice of tests would run one before a table it reads is there
    by_name = ["--indirect-selection", "empty", "--select"]
    others = sorted({*among} - chosen)
    if others and len(others) < len(select):
        return [*by_name, "*", "--exclude", *others]
    return [*by_name, *select]


def target_path(settings: Settings, clock: str) -> Path:
    """Where dbt keeps the compiled project of one clock: parse, nightly or quarterly."""
    return settings.dbt_target_path.parent / clock


def manifest_path(settings: Settings) -> Path:
    """The manifest that the Dagster definitions read; replaced in one step, never half there."""
    return settings.dbt_target_path / "manifest.json"


def prepare_manifest(settings: Settings, report: Callable[[str], None] = print) -> Path:
    """Make sure that the manifest is there and not older than what it is made of.

    Returns its path. Opens no connection to a database. Raises DbtError when the project cannot
    be parsed and IntentMapError when the home cannot be written.
    """
    path = manifest_path(settings)
    if _is_current(settings, path):
        return path
    target = target_path(settings, "parse")
    _make_folders(settings, target, path.parent)
    with file_lock(target / "lock", "reading the dbt project", report=report):
        if _is_current(settings, path):
            return path
        report("Reading the dbt project (some seconds, once after each change of it) ...")
        # taken before, so that a file that changes meanwhile counts as changed
        noted = _noted(settings)
        try:
            for _ in run_dbt(settings, parse_args(settings)):
                pass
        except DbtError:
            # whoever copies business files meets these first
            refuse_what_dbt_cannot_read(settings)
            raise
        made = target / "manifest.json"
        manifest = json.loads(made.read_text(encoding="utf-8"))
        manifest["metadata"]["env"] = {**manifest["metadata"].get("env", {}), **noted}
        made.write_text(json.dumps(manifest), encoding="utf-8")
        made.replace(path)
    return path


def load_manifest(settings: Settings) -> dict[str, Any]:
    """The prepared manifest. Raises IntentMapError when it is not there or not whole."""
    path = manifest_path(settings)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IntentMapError(
            f"The dbt manifest {path} is not there. Start `dagster dev` or any run once; "
            "they make it."
        ) from error
    except (OSError, ValueError) as error:
        raise IntentMapError(f"The dbt manifest {path} cannot be read: {error}") from error


def manifest_vars(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The values of VARS_IN_MANIFEST that were in force when the manifest was made."""
    noted = manifest["metadata"]["env"]
    return {name: noted[name.upper()] for name in VARS_IN_MANIFEST}


def _make_folders(settings: Settings, *folders: Path) -> None:
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IntentMapError(
            f"The home {settings.home} cannot be written ({error.strerror}). Give this user write "
            "permission there, or set INTENT_MAP_HOME to a folder that has it."
        ) from error


def _noted(settings: Settings) -> dict[str, str]:
    """What is noted in the manifest, where dbt keeps a run's environment."""
    effective = effective_vars(settings)
    noted = {name.upper(): str(effective[name]) for name in VARS_IN_MANIFEST}
    return {**noted, "INTENT_MAP_BASIS": _basis(settings)}


def _is_current(settings: Settings, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        noted = load_manifest(settings)["metadata"].get("env", {})
    except IntentMapError:
        return False
    return noted.get("INTENT_MAP_BASIS") == _basis(settings)


def _basis(settings: Settings) -> str:
    """A checksum of what a manifest is made of: another one, another manifest.

    Files by name, size and time, not by "newer than the manifest": an upgrade can bring files
    whose times are older than it.
    """
    basis = [
        version("dbt-core"),
        settings.target,
        settings.dbt_vars,
        [*_stamp(PROJECT_DIR / "dbt_project.yml"), *_stamp(PROFILES_DIR / "profiles.yml")],
        [
            [str(top), sorted(_stamp(path) for path in top.rglob("*") if path.is_file())]
            for top in (
                PROJECT_DIR / "models",
                PROJECT_DIR / "macros",
                SHIPPED_SEEDS,
                settings.seeds,
                TESTS_DIR,
            )
        ],
    ]
    return hashlib.sha256(json.dumps(basis, sort_keys=True, default=str).encode()).hexdigest()


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def run_dbt(
    settings: Settings, args: list[str], report: Callable[[str], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Run dbt in this process; yields the event of each finished node as it comes.

    An event has the shape of dbt's JSON log: {"info": {...}, "data": {...}}; those of nodes that
    could not run come last. What found no memory beside another node is run again by itself, and
    report is told of it. Raises DbtError that names the first node at fault, its message and the
    log, after all events were yielded. The warehouse file is closed when this returns, also when
    it was stopped half-way.
    """
    with garbage_left():
        outcome, of_errors = yield from _run_once(settings, args)
        one_at_a_time = os.environ.get("INTENT_MAP_THREADS") == "1"
        if not one_at_a_time and (unfinished := _without_memory(outcome)):
            one_at_a_time = True
            if report:
                report(f"Not enough memory side by side, so one at a time: {in_short(unfinished)}.")
            outcome, of_errors = yield from _run_once(settings, _one_at_a_time(args, unfinished))
        yield from of_errors
    _raise_on_failure(settings, outcome, one_at_a_time)


def _run_once(
    settings: Settings, args: list[str]
) -> Generator[dict[str, Any], None, tuple[Any, list[dict[str, Any]]]]:
    """Yields the events of nodes that ran; returns dbt's result, None when it did not come to one,
    and the events of nodes that could not run."""
    _make_folders(settings, settings.warehouse.parent, settings.dbt_log_path)
    _seed_partial_parse(settings, args)
    # dbt is slow to import: only who runs it pays
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import msg_to_dict

    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    done = object()
    outcome: list[Any] = []
    of_errors: list[dict[str, Any]] = []

    def receive(message: Any) -> None:
        if message.info.name in NODE_RESULTS:
            events.put(msg_to_dict(message))

    def work() -> None:
        try:
            outcome.append(dbtRunner(callbacks=[receive]).invoke(args))
        finally:
            events.put(done)

    with _environment_set(environment(settings)):
        thread = threading.Thread(target=work, name="dbt", daemon=True)
        thread.start()
        try:
            while (event := events.get()) is not done:
                if str(event["data"]["status"]).lower() == "error":
                    of_errors.append(event)
                else:
                    yield event
        finally:
            _bring_to_rest(thread)
            _close_warehouse()
    return (outcome[0] if outcome else None), of_errors


def _one_at_a_time(args: Sequence[str], names: Sequence[str]) -> list[str]:
    """The arguments of a run, for these nodes only and never two side by side."""
    kept: list[str] = []
    option = ""
    for arg in args:
        option = arg if arg.startswith("--") else option
        if option not in ("--select", "--exclude", "--indirect-selection"):
            kept.append(arg)
    return [*kept, "--threads", "1", "--indirect-selection", "empty", "--select", *names]


def _without_memory(outcome: Any) -> list[str]:
    """The nodes that found no memory and those that waited for them; none when anything else went
    wrong too, since what waits for that must not run."""
    failed = _results(outcome, "error", "fail")
    if not failed or not all(NO_MEMORY in str(result.message) for result in failed):
        return []
    return [result.node.name for result in (*failed, *_results(outcome, "skipped"))]


def _results(outcome: Any, *statuses: str) -> list[Any]:
    results = getattr(getattr(outcome, "result", None), "results", None) or []
    return [result for result in results if str(result.status) in statuses]


def count_rows(node: Mapping[str, Any]) -> int | None:
    """Rows of a table that dbt has just built, while run_dbt is on; None for views."""
    if node["config"].get("materialized") in ("view", "ephemeral"):
        return None
    counted = query(f"select count(*) from {table_of(node)}")
    return counted[0][0] if counted else None


def table_of(node: Mapping[str, Any]) -> str:
    """A node's table as SQL names it."""
    return f'"{node["schema"]}"."{node.get("alias") or node["name"]}"'


def query(sql: str) -> list[tuple[Any, ...]]:
    """Rows from the warehouse while run_dbt is on; none when they cannot be had."""
    manager = _manager()
    if manager is None:
        return []
    try:
        with manager.env().conn.cursor() as cursor:
            return cursor.execute(sql).fetchall()
    except Exception:
        # shown in the UI only, so never a reason to stop
        return []


def compiled_path(settings: Settings, clock: str, node: Mapping[str, Any]) -> Path:
    """Where dbt leaves the SQL of a data test as it ran it."""
    project = target_path(settings, clock) / "compiled" / str(node["package_name"])
    file = Path(node["original_file_path"])
    if file.suffix == ".sql":
        # a test's own file lies beside the dbt project, and so does what was made of it
        return Path(os.path.normpath(project / file))
    return project / file / node["path"]


def rows_found(path: Path, most: int) -> list[str]:
    """The first rows that a data test found, each on one line, while run_dbt is on. A value for
    which there is no room is left out whole: an erasure does not find half an id in a log."""
    try:
        sql = path.read_text(encoding="utf-8")
    except OSError:
        return []
    rows = query(f"select to_json(found) from (\n{sql}\n) as found limit {most}")
    shown = []
    for (row,) in rows:
        told: list[str] = []
        for name, value in json.loads(row).items():
            if value is None:
                continue
            cell = one_line(f"{name} {value}")
            fits = len(", ".join([*told, cell])) <= LONGEST_ROW_SAID
            told.append(cell if fits else f"{name} \N{HORIZONTAL ELLIPSIS}")
        shown.append(", ".join(told))
    return shown


def _seed_partial_parse(settings: Settings, args: list[str]) -> None:
    """Start a new target folder from the parsed project, as a first build would parse again."""
    target = Path(args[args.index("--target-path") + 1])
    parsed = target_path(settings, "parse") / PARTIAL_PARSE
    if parsed.exists() and not (target / PARTIAL_PARSE).exists():
        with contextlib.suppress(OSError):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(parsed, target / PARTIAL_PARSE)


@contextlib.contextmanager
def _environment_set(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _manager() -> Any:
    """dbt-duckdb's keeper of the open file, None while nothing imported it."""
    module = sys.modules.get("dbt.adapters.duckdb.connections")
    return module.DuckDBConnectionManager if module else None


def _bring_to_rest(thread: threading.Thread) -> None:
    """Wait for dbt's thread; when the reader of its events left early, fail all its queries."""
    thread.join(timeout=1)
    deadline = time.monotonic() + REST_SECONDS
    while thread.is_alive() and time.monotonic() < deadline:
        from dbt.adapters.factory import FACTORY

        with contextlib.suppress(Exception):
            for adapter in list(FACTORY.adapters.values()):
                adapter.connections.cancel_open()
        manager = _manager()
        if manager is not None and manager._ENV is not None:
            # nodes that have not started get no connection any more, so they end at once
            with contextlib.suppress(Exception):
                manager._ENV.close()
        thread.join(timeout=0.2)


def _close_warehouse() -> None:
    """dbt-duckdb keeps the file open for its next run; others wait for it, so it is closed."""
    manager = _manager()
    if manager is None:
        return
    from dbt.adapters.factory import reset_adapters

    with contextlib.suppress(Exception):
        reset_adapters()
    open_file = manager._ENV
    manager.close_all_connections()
    if open_file is not None:
        with contextlib.suppress(Exception):
            open_file.close()


def _raise_on_failure(settings: Settings, outcome: Any, one_at_a_time: bool) -> None:
    if outcome is not None and outcome.success:
        return
    log = settings.dbt_log_path / "dbt.log"
    failed = _results(outcome, "error", "fail")
    if failed:
        first = failed[0]
        kind = "data test" if first.node.resource_type == "test" else first.node.resource_type
        message = f"dbt {kind} {first.node.name} failed: {_in_one_line(first.message)}"
        if len(failed) > 1:
            message += f" Failed too: {in_short([result.node.name for result in failed[1:]])}."
        if one_at_a_time and NO_MEMORY in str(first.message):
            message += " It ran by itself, so INTENT_MAP_MEMORY_LIMIT is too low for it."
        transient = all(is_of_lock(str(result.message)) for result in failed)
        raise DbtError(f"{message} The full log: {log}", is_transient=transient)
    reason = getattr(outcome, "exception", None)
    raise DbtError(
        f"dbt stopped: {_in_one_line(reason or 'no reason given')} The full log: {log}",
        is_transient=is_of_lock(str(reason)),
    )


def _in_one_line(message: Any) -> str:
    # what DuckDB advises about memory are its own settings, which come from ours here
    said = (
        str(message).partition("Possible solutions:")[0] if NO_MEMORY in str(message) else message
    )
    text = " ".join(str(said).split())
    text = text if len(text) <= 600 else text[:600] + " ..."
    return text if text.endswith((".", "!", "?")) else text + "."
