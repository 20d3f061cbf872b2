"""Restating a value version: the same quarter once more, under the rules and rows of today.

Belongs here: what a restatement is, whether a version is there, which number the next one gets.
Does not belong here: how a version is computed and kept (the models of
dbt_project/models/valuation), the commands (cli.py).

A version that was published is never changed. A restatement stands beside it with a number of its
own and a reason, and is in force in its stead from the moment on when it is written.
"""

from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration.errors import IntentMapError
from orchestration.settings import Settings

# a version is there when all of these hold it; a run that was killed leaves it in some of them
KEPT_TABLES = (
    "val_version_probabilities",
    "val_version_values",
    "val_version_states",
    "val_version_delays",
    "val_version_customers",
    "val_version_writings",
)
# a version has rows in each of these, so val_version_periods goes by them; a quarter before all
# events leaves rows in the last one alone
NEVER_EMPTY = KEPT_TABLES[:3]
LONGEST_REASON = 500


@dataclass(frozen=True)
class Restatement:
    """number: 1 for the first restatement of a version; reason: why, in the words of who did it."""

    number: int
    reason: str

    def as_vars(self) -> dict[str, int | str]:
        """The policy vars under which the models write it."""
        return {"restatement": self.number, "restatement_reason": self.reason}


def checked_reason(text: str | None) -> str:
    """The reason in one line; raises IntentMapError when none is given."""
    reason = " ".join((text or "").split())
    if not reason:
        raise IntentMapError(
            "A restatement changes numbers that people have acted on, so it needs a reason, such "
            "as 'orders of May were counted twice': --why TEXT beside --restate on the command "
            "line, in Dagster why beside restate in the config of quarterly_models."
        )
    if len(reason) > LONGEST_REASON:
        raise IntentMapError(
            f"The reason has {len(reason)} characters; {LONGEST_REASON} are the most that is kept."
        )
    return reason


def next_restatement(settings: Settings, version_date: date, why: str) -> Restatement:
    """The restatement of the version valid from version_date that is to be written now.

    Its number follows the newest one that is there as a whole: what a killed run left of the next
    one is completed, not counted. Raises IntentMapError when there is no such version yet.
    """
    reason = checked_reason(why)
    written = _newest_written(settings, version_date)
    if written is None:
        raise IntentMapError(
            f"There is no value version valid from {version_date} to restate. Where anything "
            "happened before that day, the same run writes it without --restate on the command "
            "line, in Dagster without restate in the config of quarterly_models."
        )
    return Restatement(written + 1, reason)


def is_written(settings: Settings, version_date: date) -> bool:
    """Whether the version valid from version_date is there as a whole: then only a restatement
    writes it."""
    return _newest_written(settings, version_date) is not None


def _newest_written(settings: Settings, version_date: date) -> int | None:
    """Number of the newest writing of a version, 0 for the original one, None for no version."""
    if not settings.warehouse.exists():
        return None
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        columns = set(
            warehouse.execute(
                "select table_name, column_name from information_schema.columns "
                "where table_schema = 'valuation'"
            ).fetchall()
        )
        newest: dict[str, int | None] = {}
        for table in KEPT_TABLES:
            if (table, "valid_from") in columns:
                # what an earlier release wrote is original
                number = "restatement" if (table, "restatement") in columns else "0"
                (newest[table],) = warehouse.execute(
                    f"select max(coalesce({number}, 0)) from valuation.{table} "
                    "where valid_from = ?",
                    [version_date],
                ).fetchone()
    if any(newest.get(table, 0) is None for table in NEVER_EMPTY):
        return None
    return min((number for number in newest.values() if number is not None), default=None)
