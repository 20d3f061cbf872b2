"""When the jobs run by themselves.

Belongs here: crons, in the reporting time zone. Does not belong here: what runs (jobs.py).

The schedules are on from the start: whoever lets `dagster dev` or a daemon run wants nights to be
refreshed, a night without new files changes nothing, and a schedule that is off without a word is
found out weeks later. They can be switched off in the UI.
"""

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.defs.partitions import time_zone

NIGHTLY_CRON = "0 3 * * *"
# one hour after the nightly run of that day, which brings the quarter's last day
QUARTERLY_CRON = "0 4 1 1,4,7,10 *"


def build_schedules(
    nightly: UnresolvedAssetJobDefinition, quarterly: UnresolvedAssetJobDefinition, zone: str
) -> list[ScheduleDefinition]:
    """Both schedules; zone: the reporting time zone."""
    nightly_schedule = ScheduleDefinition(
        name="nightly_refresh_at_3",
        job=nightly,
        cron_schedule=NIGHTLY_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every night at 03:00.",
    )

    @schedule(
        name="quarterly_value_recalculation_at_4",
        job=quarterly,
        cron_schedule=QUARTERLY_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="On the first day of each quarter at 04:00, the version valid from that day.",
    )
    def quarterly_schedule(context: ScheduleEvaluationContext) -> RunRequest:
        day = context.scheduled_execution_time.astimezone(time_zone(zone)).date()
        return RunRequest(partition_key=day.isoformat())

    return [nightly_schedule, quarterly_schedule]
