"""What all steps share: the pool, retries, and how a problem is shown.

Belongs here: settings of steps in general. Does not belong here: what a step does.
"""

import contextlib
from collections.abc import Iterator

from dagster import Backoff, Failure, Jitter, RetryPolicy

from orchestration.dbt_runner import DbtError
from orchestration.errors import IntentMapError

# every step that opens the warehouse for writing; dagster.yaml and locking.py keep them apart
WRITER_POOL = "duckdb_writer"

RETRIES = RetryPolicy(
    max_retries=2, delay=20, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
)


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
