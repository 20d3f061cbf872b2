"""What all checks look at.

Belongs here: the view that every check gets. Does not belong here: a check.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.health.ledger import Ledger
from orchestration.settings import Settings


@dataclass(frozen=True)
class View:
    """A home at a moment. now: UTC, without zone; run_id: as of look."""

    settings: Settings
    values: dict[str, Any]
    now: datetime
    ledger: Ledger | None
    run_id: str | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.values["reporting_time_zone"])

    @property
    def today(self) -> date:
        return self.now.replace(tzinfo=UTC).astimezone(self.zone).date()
