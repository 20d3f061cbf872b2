"""When the jobs run by themselves.

Belongs here: crons, in the reporting time zone, and what a tick makes up for. Does not belong here:
what runs (jobs.py).

The schedules are on from the start: whoever lets `dagster dev` or a daemon run wants nights to be
refreshed, a night without new files changes nothing, and a schedule that is off without a word is
found out weeks later. They can be switched off in the UI.

After downtime the daemon evaluates the last tick that was missed. For the night that is enough,
since it lands whatever has not landed. A quarter's tick asks for every version that is missing.
"""

import contextlib
from collections.abc import Iterator
from datetime import date

import duckdb
from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)

from orchestration.defs.jobs import Jobs
from orchestration.defs.partitions import time_zone
from orchestration.quarters import quarters_between
from orchestration.settings import SERVING_FILE, Settings

NIGHTLY_CRON = "0 3 * * *"
# one hour after the nightly run of that day, which brings the quarter's last day
QUARTERLY_CRON = "0 4 1 1,4,7,10 *"
# when people begin to work, and what should have come by night has come
HEALTH_CRON = "0 8 * * *"


def build_schedules(settings: Settings, jobs: Jobs, zone: str) -> list[ScheduleDefinition]:
    """All schedules; zone: the reporting time zone."""
    nightly_schedule = ScheduleDefinition(
        name="nightly_refresh_at_3",
        job=jobs.nightly,
        cron_schedule=NIGHTLY_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every night at 03:00.",
    )

    @schedule(
        name="quarterly_value_recalculation_at_4",
        job=jobs.quarterly,
        cron_schedule=QUARTERLY_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description=(
            "On the first day of each quarter at 04:00, the version valid from that day, and "
            "those of earlier quarters that were missed."
        ),
    )
    def quarterly_schedule(context: ScheduleEvaluationContext) -> Iterator[RunRequest]:
        day = context.scheduled_execution_time.astimezone(time_zone(zone)).date()
        for quarter in missed_quarters(settings, day):
            yield RunRequest(run_key=quarter.isoformat(), partition_key=quarter.isoformat())

    health_schedule = ScheduleDefinition(
        name="health_checks_at_8",
        job=jobs.health,
        cron_schedule=HEALTH_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every morning at 08:00: what did not come, and nights that did not run.",
    )
    return [nightly_schedule, quarterly_schedule, health_schedule]


def missed_quarters(settings: Settings, day: date) -> list[date]:
    """The quarters from the first published version to the one of `day` that have no version.

    Without any version there is only that of `day` to write.
    """
    there: list[date] = []
    served = settings.serving / SERVING_FILE
    # what cannot be read must not keep the quarter of today from being asked for
    with contextlib.suppress(duckdb.Error), duckdb.connect(str(served), read_only=True) as con:
        rows = con.execute(
            "select distinct valid_from from marts.mart_micro_values "
            "where value_version not like '(%'"
        ).fetchall()
        there = [valid_from for (valid_from,) in rows]
    due = quarters_between(min([*there, day]), day)
    return [quarter for quarter in due if quarter not in there or quarter == due[-1]]
