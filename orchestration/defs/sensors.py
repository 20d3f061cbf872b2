"""What Dagster looks after between the schedules.

Belongs here: sensors. Does not belong here: what they find out (runs.py).
"""

from dagster import (
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from orchestration.dead_runs import close_dead_runs


def build_sensors() -> list[SensorDefinition]:
    """release_dead_runs: one run at a time may start, so a run that died must not count."""

    @sensor(
        name="release_dead_runs",
        minimum_interval_seconds=120,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Marks runs as failed whose process is gone (killed, or the machine restarted), so "
            "that the next run can start."
        ),
    )
    def release_dead_runs(context: SensorEvaluationContext) -> SkipReason:
        closed = close_dead_runs(context.instance)
        return SkipReason(f"{len(closed)} dead runs marked as failed." if closed else "All well.")

    return [release_dead_runs]
