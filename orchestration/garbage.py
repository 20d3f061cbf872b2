"""Python's search for garbage, put off where much is made that lives to the end.

Belongs here: garbage_left. Does not belong here: how much memory DuckDB may take (settings.py).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_left() -> Iterator[None]:
    """Leave objects that refer to each other in a circle where they are until this ends.

    dbt and Dagster make a million objects that a run needs to its end, and Python looks through
    all of them again and again: an eighth of the time of a night without arrivals. How many there
    are follows the number of models, not of rows, so what is left takes a hundred megabytes or so.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
