"""What looking at a home comes to: findings, and the names under which they are looked for.

Belongs here: the checks' names, a finding, findings as text. Does not belong here: looking.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

OK, WARN, ERROR = "ok", "warn", "error"
SEVERITIES = (OK, WARN, ERROR)

WIDTH = 100

# name of a check -> what it says when all is well
CHECKS = {
    "warehouse": "The warehouse file can be read.",
    "attached": "Every table that is read in another database is there.",
    "freshness": "Every source in use brought something within its usual time.",
    "failed_loads": "No file lies in the folder of what could not be landed.",
    "schema_drift": "The newest files have the columns that the files before them had.",
    "volume": "The last whole day has about as many events as the same weekday before.",
    "refused_rows": "Of the last whole day no larger share of rows was refused than usual.",
    "reconciliation": "Every raw row is accepted, duplicate or refused, and nothing else.",
    "value_version": "The value version of the quarter that is going on is there.",
    "rules": "The tables follow the rules in force, so the next night goes on from them.",
    "publish": "The served file is whole and not older than a night.",
    "dashboard": "The page is there and not older than what is served.",
    "disk": "There is room for the next run.",
    "erasure": "No erasure was left before its end.",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. name: one of CHECKS, or writer; subject: the source, where it is one."""

    name: str
    severity: str
    sentence: str
    subject: str = ""
    figures: dict[str, float | int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} {self.subject}".strip()


def worst(findings: Sequence[Finding]) -> str:
    """The highest severity among them."""
    return max((finding.severity for finding in findings), key=SEVERITIES.index, default=OK)


def as_table(findings: Sequence[Finding]) -> list[str]:
    """The findings as lines of text: state, what was looked at, the sentence."""
    titles = max(len(finding.title) for finding in findings)
    indent = " " * (titles + 8)
    lines = []
    for finding in findings:
        head = f"{finding.severity:<5} {finding.title:<{titles}}  "
        lines += textwrap.wrap(
            finding.sentence, WIDTH, initial_indent=head, subsequent_indent=indent
        )
    counted = {severity: 0 for severity in SEVERITIES}
    for finding in findings:
        counted[finding.severity] += 1
    errors, warnings = counted[ERROR], counted[WARN]
    return [
        *lines,
        "",
        f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}, "
        f"{counted[OK]} well.",
    ]


def duration(days: float) -> str:
    hours = days * 24
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{days:.0f} days"
