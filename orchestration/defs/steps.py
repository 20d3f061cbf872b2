"""What all steps share: the pool, retries, checks beforehand, how a problem is shown.

Belongs here: settings of steps in general. Does not belong here: what a step does.
"""

import contextlib
from collections.abc import Callable, Iterator

from dagster import (
    AssetCheckExecutionContext,
    AssetExecutionContext,
    Failure,
    OpExecutionContext,
    RetryRequested,
)

from orchestration.business_files import check_business_files
from orchestration.dbt_runner import DbtError
from orchestration.dead_runs import note_machine
from orchestration.errors import IntentMapError, is_interruption
from orchestration.locking import as_run
from orchestration.policy import check_policy
from orchestration.settings import Settings

# every step that opens the warehouse for writing; dagster.yaml and locking.py keep them apart
WRITER_POOL = "duckdb_writer"

# who is asked when a table looks wrong; Dagster shows it at each asset
OWNERS = ["team:intent-map"]

RETRIES = 2
FIRST_PAUSE_SECONDS = 20


def check_rules(settings: Settings, report: Callable[[str], None]) -> None:
    """Stop on an impossible policy number or a wrong row of a business file; report warnings.

    Landing says the warnings. Steps that build look as well, for runs without landing, and because
    what needs no raw table is built in a quarterly run though landing was refused.
    """
    for warning in (*check_policy(settings), *check_business_files(settings)):
        report(f"warning: {warning}")


@contextlib.contextmanager
def problems_in_words(
    context: AssetExecutionContext | AssetCheckExecutionContext | OpExecutionContext,
) -> Iterator[None]:
    """Fail the step with the sentence meant for people, or try it again where that may help.

    Trying again cannot help against what an IntentMapError says, but against a file that somebody
    else has open, or a disk that hiccups; twice, with growing pauses. Dagster's own retry policy
    is not used because it also tries a step again that was stopped on purpose.
    """
    try:
        note_machine(context.instance, context.run)
        with as_run(context.run.job_name, context.run.run_id):
            yield
    except Exception as error:
        if is_interruption(error):
            raise KeyboardInterrupt from error
        if isinstance(error, IntentMapError) and not (
            isinstance(error, DbtError) and error.is_transient
        ):
            raise Failure(description=str(error), allow_retries=False) from error
        pause = FIRST_PAUSE_SECONDS * 2**context.retry_number
        raise RetryRequested(max_retries=RETRIES, seconds_to_wait=pause) from error
