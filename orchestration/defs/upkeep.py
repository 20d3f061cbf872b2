"""Jobs that look after what is kept: erasing people, and rows that are old enough to go.

Belongs here: their configuration, steps and schedule. Does not belong here: what they do
(erasure/, retention.py).
"""

from pathlib import Path

from dagster import (
    Config,
    DefaultScheduleStatus,
    JobDefinition,
    OpExecutionContext,
    RunRequest,
    ScheduleDefinition,
    SkipReason,
    in_process_executor,
    job,
    op,
    schedule,
)
from pydantic import Field

from orchestration.defs.steps import WRITER_POOL, check_rules, problems_in_words
from orchestration.erasure import erase_users
from orchestration.retention import apply_retention, limits
from orchestration.settings import Settings

ERASE, RETENTION = "erase_user", "apply_retention"
RETENTION_CRON = "0 5 1 * *"


class IdsFile(Config):
    """Which people."""

    file: str = Field(
        description=(
            "Whole path of a file with ids, on the machine that runs the code: one id a line, or "
            "CSV with the columns kind and id. The path stays in the list of runs, so name nobody "
            "in it."
        )
    )


def build_upkeep_jobs(settings: Settings) -> list[JobDefinition]:
    """erase_user takes people out of everything that the home holds, apply_retention old rows."""

    @op(name="erase", pool=WRITER_POOL)
    def erase(context: OpExecutionContext, config: IdsFile) -> None:
        with problems_in_words(context):
            # all tables are built anew by them
            check_rules(settings, context.log.info)
            receipt = erase_users(settings, Path(config.file), report=context.log.info)
            context.add_output_metadata(
                {"raw rows": sum(receipt.raw_rows.values()), "visitors": receipt.visitors,
                 "files left": len(receipt.files_left)}
            )  # fmt: skip

    @job(
        name=ERASE,
        executor_def=in_process_executor,
        description=(
            "Take people out of landing files, raw, all tables, published files, logs and "
            "Dagster's own storage. The file names them; the receipt does not."
        ),
    )
    def erase_user() -> None:
        erase()

    @op(name="retire", pool=WRITER_POOL)
    def retire(context: OpExecutionContext) -> None:
        with problems_in_words(context):
            result = apply_retention(settings, report=context.log.info)
            context.add_output_metadata(
                {
                    "raw rows": sum(old.rows for old in result.rows),
                    "landed files": len(result.landing_files),
                    "files set aside": len(result.files_set_aside),
                }
            )

    @job(
        name=RETENTION,
        executor_def=in_process_executor,
        description=(
            "Take out raw rows that are older than raw_retention_days and refused rows older than "
            "refused_retention_days. What was built from them stays."
        ),
    )
    def retention() -> None:
        retire()

    return [erase_user, retention]


def build_upkeep_schedules(
    settings: Settings, jobs: list[JobDefinition], zone: str
) -> list[ScheduleDefinition]:
    """apply_retention each month, where a var limits anything."""
    (retention,) = [one for one in jobs if one.name == RETENTION]

    @schedule(
        name="apply_retention_at_5",
        job=retention,
        cron_schedule=RETENTION_CRON,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="On the first day of each month at 05:00, where a var limits anything.",
    )
    def retention_schedule() -> RunRequest | SkipReason:
        if not limits(settings):
            return SkipReason("Neither raw_retention_days nor refused_retention_days is set.")
        return RunRequest()

    return [retention_schedule]
