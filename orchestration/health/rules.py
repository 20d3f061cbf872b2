"""Whether the next night can go on from the tables as they are.

Belongs here: the state of that and its sentence. Does not belong here: what rules are, and when
they count as changed (fingerprint.py); whether rows were retired (retention.py).
"""

from collections.abc import Iterator

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.fingerprint import foreseen
from orchestration.health.findings import CHECKS, ERROR, OK, WARN, Finding
from orchestration.health.view import View
from orchestration.retention import refuse_to_build_anew


def of_rules(view: View) -> Iterator[Finding]:
    if not view.settings.warehouse.exists():
        return
    try:
        yield _finding(view)
    except (IntentMapError, duckdb.Error) as error:
        # such as beside a run; a file that is broken is told of by another check
        yield Finding("rules", OK, first_line(error))


def _finding(view: View) -> Finding:
    why = foreseen(view.settings)
    if not why:
        return Finding("rules", OK, CHECKS["rules"])
    try:
        refuse_to_build_anew(view.settings, why)
    except IntentMapError as refusal:
        return Finding("rules", ERROR, str(refusal))
    return Finding("rules", WARN, f"{why} It takes as long as the first one did.")
