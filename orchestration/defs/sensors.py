"""What Dagster looks after between the schedules.

Belongs here: sensors. Does not belong here: what they find out (dead_runs.py, landing/files.py).
"""

import time

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.dead_runs import close_dead_runs
from orchestration.defs.jobs import LANDING_JOBS
from orchestration.defs.landing import LANDING, raw_key
from orchestration.landing import SOURCES, newest_change
from orchestration.settings import Settings

# a file that nobody wrote to, and none that joined it, for so long
STILL_SECONDS = 120
# not one that is only noted: a run that Dagster could not even queue stays so for ever
GOING_ON = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)

# of each job, to find the last one that landed: those before it went on from a failure, say
RUNS_LOOKED_AT = 20


def build_sensors(
    settings: Settings, nightly: UnresolvedAssetJobDefinition
) -> list[SensorDefinition]:
    """release_dead_runs and new_files."""

    @sensor(
        name="release_dead_runs",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Marks runs as failed whose process is gone (killed, or the machine restarted), so "
            "that the next run can start."
        ),
    )
    def release_dead_runs(context: SensorEvaluationContext) -> SkipReason:
        closed = close_dead_runs(context.instance, in_code_server=True)
        return SkipReason(f"{len(closed)} dead runs marked as failed." if closed else "All well.")

    # off as shipped: the numbers of a day would change under its readers with every file
    @sensor(
        name="new_files",
        job=nightly,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.STOPPED,
        description=(
            "Starts a run when new files lie in the landing folders and nothing has moved for two "
            "minutes. Off as shipped: switch it on where two or more deliveries a day should not "
            "wait for night."
        ),
    )
    def new_files(context: SensorEvaluationContext) -> SensorResult:
        return look_for_files(settings, context.instance, int(context.cursor or 0), time.time())

    return [release_dead_runs, new_files]


def look_for_files(
    settings: Settings, instance: DagsterInstance, seen: int, now: float
) -> SensorResult:
    """One look; seen: the newest change, in nanoseconds, that a run was started for."""
    newest = newest_change(settings.landing, SOURCES)
    if newest <= seen:
        return SensorResult(skip_reason=SkipReason("Nothing new."), cursor=str(seen))
    if newest / 1e9 > now - STILL_SECONDS:
        return SensorResult(skip_reason=SkipReason("Files are still coming."), cursor=str(seen))
    if _is_going_on(instance):
        return SensorResult(skip_reason=SkipReason("A run is going on."), cursor=str(seen))
    if newest / 1e9 < _last_landing(instance):
        reason = SkipReason("What lies there was landed by the last run.")
        return SensorResult(skip_reason=reason, cursor=str(newest))
    return SensorResult(run_requests=[RunRequest(run_key=str(newest))], cursor=str(newest))


def _is_going_on(instance: DagsterInstance) -> bool:
    return bool(instance.get_runs(RunsFilter(statuses=list(GOING_ON)), limit=1))


def _last_landing(instance: DagsterInstance) -> float:
    """When the last run that landed all files, and succeeded, began; 0 without one."""
    began = [0.0]
    for job in LANDING_JOBS:
        filters = RunsFilter(job_name=job, statuses=[DagsterRunStatus.SUCCESS])
        for record in instance.get_run_records(filters, limit=RUNS_LOOKED_AT):
            if _landed_all(record.dagster_run):
                began.append(record.start_time or 0.0)
                break
    return max(began)


def _landed_all(run: DagsterRun) -> bool:
    """Whether all sources were in the run: not where it was one of chosen tables, or went on from
    the failure of another behind its landing."""
    steps, chosen = run.step_keys_to_execute, run.asset_selection
    return (steps is None or LANDING in steps) and (
        not chosen or chosen >= {raw_key(source) for source in SOURCES}
    )
