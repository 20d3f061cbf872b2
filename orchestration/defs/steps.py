"""What all steps share: the pool, retries, checks beforehand, how a problem is shown.

Belongs here: settings of steps in general. Does not belong here: what a step does.
"""

import contextlib
from collections.abc import Callable, Iterator

from dagster import Backoff, Failure, Jitter, RetryPolicy

from orchestration.business_files import check_business_files
from orchestration.dbt_runner import DbtError
from orchestration.errors import IntentMapError
from orchestration.policy import check_policy
from orchestration.settings import Settings

# every step that opens the warehouse for writing; dagster.yaml and locking.py keep them apart
WRITER_POOL = "duckdb_writer"

RETRIES = RetryPolicy(
    max_retries=2, delay=20, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
)


def check_rules(settings: Settings, report: Callable[[str], None]) -> None:
    """Stop on an impossible policy number or a wrong row of a business file; report warnings."""
    for warning in (*check_policy(settings), *check_business_files(settings)):
        report(f"warning: {warning}")


@contextlib.contextmanager
def problems_in_words() -> Iterator[None]:
    """Fail the step with the sentence meant for people, without a retry that cannot help.

    A file that somebody else has open, or a disk that hiccups, is no such problem: it is raised
    as it is, so that RETRIES act.
    """
    try:
        yield
    except IntentMapError as error:
        if isinstance(error, DbtError) and error.is_transient:
            raise
        raise Failure(description=str(error), allow_retries=False) from error
    except RuntimeError as error:
        if "Query interrupted" not in str(error):
            raise
        # DuckDB swallows the signal that stops a run and raises this in its stead
        raise KeyboardInterrupt from error
