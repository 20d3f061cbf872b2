"""Jobs that no clock starts: what a person asks for once, from the UI.

Belongs here: their configuration and steps. Does not belong here: what they do (erasure/).
"""

from pathlib import Path

from dagster import Config, JobDefinition, OpExecutionContext, in_process_executor, job, op
from pydantic import Field

from orchestration.defs.steps import WRITER_POOL, problems_in_words
from orchestration.erasure import erase_users
from orchestration.settings import Settings

ERASE = "erase_user"


class IdsFile(Config):
    """Which people."""

    file: str = Field(
        description="Path of a file with ids, one a line, or CSV with the columns kind and id."
    )


def build_upkeep_jobs(settings: Settings) -> list[JobDefinition]:
    """erase_user: takes people out of everything that the home holds."""

    @op(name="erase", pool=WRITER_POOL)
    def erase(context: OpExecutionContext, config: IdsFile) -> None:
        with problems_in_words(context):
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

    return [erase_user]
