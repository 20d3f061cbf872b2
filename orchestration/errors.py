"""The one exception that a user is meant to read, and what is shown of others.

Belongs here: IntentMapError. Its message is a sentence that names what is wrong and what to do;
the command line prints it without a traceback. And what other errors mean.
"""


class IntentMapError(Exception):
    """A problem that the user can mend; the message says how."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says; engines add the statement and advice below it."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no reason given"


def is_interruption(error: BaseException) -> bool:
    """Whether somebody stopped the run: DuckDB swallows the signal and raises this in its stead."""
    return isinstance(error, RuntimeError) and "Query interrupted" in str(error)
