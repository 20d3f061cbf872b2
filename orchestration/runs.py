"""Running the Dagster jobs from the command line, in this process.

Belongs here: run_nightly, run_quarterly, what a backfill runs, the Dagster instance of a home, and
turning a failed run into one sentence. Does not belong here: what the jobs do (defs/), the
commands (cli.py).

The runs stand in the same Dagster storage as those of `dagster dev`, so the UI shows both.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dagster import DagsterEventType, DagsterInstance, ExecuteInProcessResult
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.plan.objects import ErrorSource
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from orchestration.dbt_runner import load_manifest, manifest_vars, prepare_manifest
from orchestration.dead_runs import HOST_TAG, close_dead_runs
from orchestration.definitions import build_definitions
from orchestration.defs.jobs import BACKFILL, NIGHTLY, QUARTERLY, REBUILD
from orchestration.defs.partitions import time_zone
from orchestration.errors import IntentMapError, first_line
from orchestration.locking import writer_lock
from orchestration.quarters import first_day_of_quarter, version_date
from orchestration.restatement import next_restatement
from orchestration.run_log import reporting
from orchestration.settings import PROJECT_ROOT, Settings

# the label by which the UI finds the runs of this code location's jobs
REPOSITORY_TAG = {".dagster/repository": "__repository__@intent_map"}


def run_nightly(settings: Settings, report: Callable[[str], None] = print) -> None:
    """Land, build, publish. Raises IntentMapError that says what failed and where the log is."""
    _run(settings, NIGHTLY, report)


def run_quarterly(
    settings: Settings,
    as_of: date | None = None,
    report: Callable[[str], None] = print,
    restate_why: str | None = None,
) -> None:
    """Write the value version that is valid from as_of on, then marts and publishing.

    as_of: first day of a quarter that has begun since the project's start; None is the quarter
    going on in the reporting time zone. restate_why: the reason for writing a version that is there
    once more, beside its old rows; None leaves it as it is. Raises IntentMapError, also when as_of
    is no such day or there is nothing to restate.
    """
    version = version_date(as_of, _today(settings, report), _project_start(settings))
    _run(settings, QUARTERLY, report, (version, version), restate_why)


def run_backfill(
    settings: Settings, first: date, last: date, report: Callable[[str], None] = print
) -> None:
    """Land the files that arrived on the days from first to last, in order, and build on them.

    Raises IntentMapError, also when no file can have arrived on such a day.
    """
    today, start = _today(settings, report), _project_start(settings)
    if not start <= first <= last <= today:
        raise IntentMapError(
            f"The days {first} to {last} cannot be backfilled: they must be in order, from "
            f"project_start_date ({start}) to today ({today})."
        )
    _run(settings, BACKFILL, report, (first, last), arrived_since=first)


def run_quarters(
    settings: Settings, first: date, last: date, report: Callable[[str], None] = print
) -> None:
    """Write the versions of the quarters from first to last, in order, then marts and publishing.

    Raises IntentMapError, also when one of them is no first day of a quarter that has begun since
    the project's start.
    """
    today, start = _today(settings, report), _project_start(settings)
    if version_date(first, today, start) > version_date(last, today, start):
        raise IntentMapError(f"The quarters {first} to {last} are not in order.")
    _run(settings, QUARTERLY, report, (first, last))


def run_rebuild(settings: Settings, report: Callable[[str], None] = print) -> None:
    """Build every row anew from raw and write the versions that are missing, in order."""
    last = first_day_of_quarter(_today(settings, report))
    first = min(last, first_day_of_quarter(_project_start(settings)))
    _run(settings, REBUILD, report, (first, last))


def _today(settings: Settings, report: Callable[[str], None]) -> date:
    prepare_manifest(settings, report=report)
    zone = manifest_vars(load_manifest(settings))["reporting_time_zone"]
    return datetime.now(time_zone(zone)).date()


def _project_start(settings: Settings) -> date:
    return date.fromisoformat(manifest_vars(load_manifest(settings))["project_start_date"])


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance that `dagster dev` in the repository uses for this home.

    With DAGSTER_HOME set that is the instance configured there; otherwise the one of dagster.yaml,
    kept in the home.
    """
    if os.environ.get("DAGSTER_HOME"):
        with _instance_of_dagster_home() as instance:
            yield instance
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    # the storage classes ask the environment for the home
    before = os.environ.get("INTENT_MAP_HOME")
    os.environ["INTENT_MAP_HOME"] = str(settings.home)
    try:
        ref = InstanceRef.from_dir(
            str(settings.dagster_home),
            config_dir=str(PROJECT_ROOT),
            # what steps print stays in the terminal; their log is kept as events
            overrides={
                "compute_logs": {
                    "module": "dagster._core.storage.noop_compute_log_manager",
                    "class": "NoOpComputeLogManager",
                    "config": {},
                }
            },
        )
        with DagsterInstance.from_ref(ref) as instance:
            yield instance
    finally:
        if before is None:
            os.environ.pop("INTENT_MAP_HOME", None)
        else:
            os.environ["INTENT_MAP_HOME"] = before


def _instance_of_dagster_home() -> DagsterInstance:
    try:
        return DagsterInstance.get()
    # the configuration and each kind of storage have their own
    except Exception as error:
        unset = re.findall(r'environment variable "(\w+)" which is not set', str(error))
        reason = (
            f"not set: {', '.join(sorted({*unset}))}" if unset else first_line(error).rstrip(".")
        )
        raise IntentMapError(
            f"Dagster's instance in DAGSTER_HOME '{os.environ['DAGSTER_HOME']}' cannot be opened "
            f"({reason}). Set what its dagster.yaml names and see that its database answers, or "
            "leave DAGSTER_HOME unset to keep Dagster's state in the home."
        ) from error


def log_file(settings: Settings) -> Path:
    """The whole log of runs from the command line."""
    return settings.dagster_home / "logs" / "runs.log"


def _run(
    settings: Settings,
    job: str,
    report: Callable[[str], None],
    partitions: tuple[date, date] | None = None,
    restate_why: str | None = None,
    arrived_since: date | None = None,
) -> None:
    """One run; partitions: the first and the last of those that it covers. arrived_since: the
    first day of arrival among them."""
    what, key, tags = job, None, {}
    run_config: dict[str, Any] = {"loggers": {"run_log": {}}}
    if partitions is not None:
        first, last = (day.isoformat() for day in partitions)
        what = f"{job} {last}" if first == last else f"{job} {first} to {last}"
        if first == last:
            key = last
        else:
            tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
    # held from beginning to end, so that two runs do not take turns step by step
    with writer_lock(settings, what, report=report):
        if partitions is not None and restate_why is not None:
            # said before a night's work is done for nothing
            next_restatement(settings, partitions[1], restate_why)
            run_config["ops"] = {
                "quarterly_models": {"config": {"restate": True, "why": restate_why}}
            }
        prepare_manifest(settings, report=report)
        definitions = build_definitions(settings, load_manifest(settings), arrived_since)
        job_definition = definitions.resolve_job_def(job)
        with dagster_instance(settings) as instance, reporting(report, log_file(settings)):
            close_dead_runs(instance)
            try:
                result = job_definition.execute_in_process(
                    instance=instance,
                    run_config=run_config,
                    partition_key=key,
                    tags={
                        **job_definition.run_tags,
                        **REPOSITORY_TAG,
                        HOST_TAG: socket.gethostname(),
                        **tags,
                    },
                    raise_on_error=False,
                )
            except DagsterExecutionInterruptedError as error:
                raise KeyboardInterrupt from error
            if result.success:
                return
            if _was_stopped(result):
                raise KeyboardInterrupt
            raise IntentMapError(f"{what} failed. {_reason(result)} The run: {log_file(settings)}")


def _was_stopped(result: ExecuteInProcessResult) -> bool:
    return any(
        event.event_type == DagsterEventType.STEP_FAILURE
        and event.step_failure_data.error_source == ErrorSource.INTERRUPT
        for event in result.all_events
    )


def _reason(result: ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.event_type == DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            with suppress(AttributeError):
                return str(data.user_failure_data.description)
            error = data.error.cause or data.error if data.error else None
            return f"Step {event.step_key}: {error.message.strip() if error else 'no reason'}"
        if event.event_type == DagsterEventType.RUN_FAILURE and event.message:
            return event.message
    return "No step gives a reason."
