"""How things stand, at a glance: attached tables, arrivals, volume, refusals, columns, version,
rules, publish, page, disk, erasures.

Belongs here: looking at all of it. Modules beside it: from when on something is a warning or an
error, and its sentence (arrivals.py, served.py, rules.py, files.py). Does not belong here: showing
it (cli.py prints it, defs/health.py makes checks of it).

Looking never waits and never stands in a writer's way. What is published is read from the served
file. The list of loads is in the warehouse, which a writer keeps for itself: then the note of it
that the last look left in the home is taken, and the findings say how old it is.
"""

from datetime import UTC, datetime

from orchestration.health.arrivals import of_arrivals
from orchestration.health.files import of_attached, of_disk, of_erasures, of_publish
from orchestration.health.findings import CHECKS, ERROR, OK, WARN, Finding, as_table, worst
from orchestration.health.ledger import ledger_of
from orchestration.health.rules import of_rules
from orchestration.health.served import of_served_tables
from orchestration.health.view import View
from orchestration.policy import effective_vars
from orchestration.settings import Settings

__all__ = ["CHECKS", "ERROR", "OK", "WARN", "Finding", "as_table", "look", "worst"]


def look(
    settings: Settings, now: datetime | None = None, run_id: str | None = None
) -> list[Finding]:
    """All findings, in the order of CHECKS; reads only, apart from the note that it leaves.

    run_id: the run that looks, which may write the page only after that. A file that cannot be read
    is a finding as well.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    ledger, of_warehouse = ledger_of(settings, now)
    view = View(settings, effective_vars(settings), now, ledger, run_id)
    findings = [
        *of_attached(view),
        *of_arrivals(view),
        *of_served_tables(view),
        *of_rules(view),
        *of_publish(view),
        *of_disk(view),
        *of_erasures(view),
    ]
    order = list(CHECKS)
    findings.sort(key=lambda finding: order.index(finding.name))
    return [*of_warehouse, *findings]
