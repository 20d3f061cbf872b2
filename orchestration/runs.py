"""Running the Dagster jobs from the command line, in this process.

Belongs here: run_nightly, run_quarterly, the Dagster instance of a home, and turning a failed run
into one sentence. Does not belong here: what the jobs do (defs/), the commands (cli.py).

The runs stand in the same Dagster storage as those of `dagster dev`, so the UI shows both.
"""

import os
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

from orchestration.dbt_runner import load_manifest, manifest_vars, prepare_manifest
from orchestration.dead_runs import HOST_TAG, close_dead_runs
from orchestration.definitions import build_definitions
from orchestration.defs.jobs import NIGHTLY, QUARTERLY
from orchestration.defs.partitions import first_day_of_quarter, next_quarter, time_zone
from orchestration.errors import IntentMapError
from orchestration.locking import writer_lock
from orchestration.restatement import next_restatement
from orchestration.run_log import reporting
from orchestration.settings import PROJECT_ROOT, Settings

# the label by which the UI finds the runs of this code location's jobs
REPOSITORY_TAG = {".dagster/repository": "__repository__@intent_map"}


def run_nightly(settings: Settings, report: Callable[[str], None] = print) -> None:
    """Land, build, publish. Raises IntentMapError that says what failed and where the log is."""
    _run(settings, NIGHTLY, None, report)


def run_quarterly(
    settings: Settings,
    as_of: date | None = None,
    report: Callable[[str], None] = print,
    restate_why: str | None = None,
) -> None:
    """Write the value version that is valid from as_of on, then marts and publishing.

    as_of: first day of a quarter, not in the future; None is the quarter going on in the
    reporting time zone. restate_why: the reason for writing a version that is there once more,
    beside its old rows; None leaves it as it is. Raises IntentMapError, also when as_of is no such
    day or there is nothing to restate.
    """
    prepare_manifest(settings, report=report)
    zone = manifest_vars(load_manifest(settings)).get("reporting_time_zone", "UTC")
    today = datetime.now(time_zone(zone)).date()
    _run(settings, QUARTERLY, version_date(as_of, today), report, restate_why)


def version_date(as_of: date | None, today: date) -> date:
    """The first day of the quarter to value; raises IntentMapError when as_of is none."""
    if as_of is None:
        return first_day_of_quarter(today)
    if as_of > today:
        raise IntentMapError(
            f"{as_of} is in the future. A value version rests on what happened before it; the "
            f"newest that can be computed is {first_day_of_quarter(today)}."
        )
    start = first_day_of_quarter(as_of)
    if as_of != start:
        following = next_quarter(start)
        nearest = f"{start} or {following}" if following <= today else f"{start}"
        raise IntentMapError(
            f"{as_of} is not the first day of a quarter, and versions are valid from one on. "
            f"Nearest: {nearest}."
        )
    return as_of


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance that `dagster dev` in the repository uses for this home.

    With DAGSTER_HOME set that is the instance configured there; otherwise the one of dagster.yaml,
    kept in the home.
    """
    if os.environ.get("DAGSTER_HOME"):
        with DagsterInstance.get() as instance:
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


def log_file(settings: Settings) -> Path:
    """The whole log of runs from the command line."""
    return settings.dagster_home / "logs" / "runs.log"


def _run(
    settings: Settings,
    job: str,
    day: date | None,
    report: Callable[[str], None],
    restate_why: str | None = None,
) -> None:
    what = job if day is None else f"{job} {day}"
    run_config: dict[str, Any] = {"loggers": {"run_log": {}}}
    # held from beginning to end, so that two runs do not take turns step by step
    with writer_lock(settings, what, report=report):
        if day is not None and restate_why is not None:
            # said before a night's work is done for nothing
            next_restatement(settings, day, restate_why)
            run_config["ops"] = {
                "quarterly_models": {"config": {"restate": True, "why": restate_why}}
            }
        prepare_manifest(settings, report=report)
        job_definition = build_definitions(settings, load_manifest(settings)).resolve_job_def(job)
        with dagster_instance(settings) as instance, reporting(report, log_file(settings)):
            close_dead_runs(instance)
            try:
                result = job_definition.execute_in_process(
                    instance=instance,
                    run_config=run_config,
                    partition_key=day.isoformat() if day else None,
                    tags={**REPOSITORY_TAG, HOST_TAG: socket.gethostname()},
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
