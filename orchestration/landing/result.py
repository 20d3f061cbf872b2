"""What a landing did, for the command line, Dagster and tests.

Belongs here: plain records without behaviour. Does not belong here: doing or printing anything.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date


@dataclass
class SourceLanding:
    """What happened to one source. Names are paths below landing/<source>/.

    duplicates: (name, name of the landed file with the same content). set_aside: (name, reason).
    skipped: (name, reason) of files that stay where they are and are tried again next time.
    attached: the table that is read in place of files; rows then counts what arrived since.
    files_of_day, rows_of_day: what landed, by its day of arrival.
    """

    source: str
    landed: list[str] = field(default_factory=list)
    rows: int = 0
    unreadable_rows: int = 0
    unchanged: int = 0
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    attached: str | None = None
    files_of_day: Counter[date] = field(default_factory=Counter)
    rows_of_day: Counter[date] = field(default_factory=Counter)

    def add(self, later: "SourceLanding") -> None:
        """Add what a later landing of the same source did."""
        self.landed += later.landed
        self.rows += later.rows
        self.unreadable_rows += later.unreadable_rows
        self.unchanged += later.unchanged
        self.duplicates += later.duplicates
        self.set_aside += later.set_aside
        self.skipped += later.skipped
        self.attached = later.attached
        self.files_of_day += later.files_of_day
        self.rows_of_day += later.rows_of_day

    @property
    def files_landed(self) -> int:
        return len(self.landed)

    @property
    def is_empty(self) -> bool:
        """No file lay there and no table is attached."""
        something = (self.attached, self.unchanged, self.landed, self.duplicates)
        return not any((*something, self.set_aside, self.skipped))


@dataclass
class LandingResult:
    """Per source what happened; warnings are sentences about the folders themselves."""

    sources: dict[str, SourceLanding] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, later: "LandingResult") -> None:
        """Add what a later landing did."""
        for name, outcome in later.sources.items():
            self.sources.setdefault(name, SourceLanding(name)).add(outcome)
        self.warnings += later.warnings

    @property
    def files_landed(self) -> int:
        return sum(source.files_landed for source in self.sources.values())

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources.values())

    @property
    def set_aside(self) -> list[tuple[str, str]]:
        """(source/name, reason) of all sources."""
        return [
            (f"{source.source}/{name}", reason)
            for source in self.sources.values()
            for name, reason in source.set_aside
        ]
