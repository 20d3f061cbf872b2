"""The partitions of Dagster assets: days of arrival, and quarters.

Belongs here: partition definitions and the dates they stand for. Does not belong here: when a
partition runs (schedules.py), what is computed for it (dbt_assets.py).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dagster import DailyPartitionsDefinition, TimeWindowPartitionsDefinition
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from orchestration.errors import IntentMapError
from orchestration.quarters import first_day_of_quarter, version_date

QUARTER_STARTS = "0 0 1 1,4,7,10 *"
DATE_FORMAT = "%Y-%m-%d"
PARTITION_TAGS = (
    PARTITION_NAME_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    ASSET_PARTITION_RANGE_END_TAG,
)


def time_zone(name: str) -> ZoneInfo:
    """The reporting time zone; raises IntentMapError when no such zone is known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise IntentMapError(
            f"reporting_time_zone is '{name}', which is no known time zone; "
            "write it as in Europe/Prague."
        ) from error


def arrival_days(first: date, zone: str) -> DailyPartitionsDefinition:
    """One partition per day on which files may have arrived, up to the day that is going on."""
    time_zone(zone)
    return DailyPartitionsDefinition(start_date=first.isoformat(), timezone=zone, end_offset=1)


def first_day_offered(project_start: date, today: date, offered: int) -> date:
    """The first day of the month `offered` days back, or the project's start where that is later.

    A month, so that the days of a run that waits over midnight are still there when it begins.
    """
    back = today - timedelta(offered) if offered < (today - project_start).days else project_start
    return max(project_start, back.replace(day=1))


def quarters(project_start: date, zone: str) -> TimeWindowPartitionsDefinition:
    """One partition per value version, keyed by the first day on which the version is valid.

    The partition 2026-07-01 is computed from what happened before 2026-07-01, so it can run as
    soon as that day begins; hence the last partition is the quarter that is still going on.
    """
    time_zone(zone)
    first = first_day_of_quarter(project_start)
    return TimeWindowPartitionsDefinition(
        start=first.isoformat(),
        cron_schedule=QUARTER_STARTS,
        fmt=DATE_FORMAT,
        timezone=zone,
        end_offset=1,
    )


def days_asked(tags: Mapping[str, str]) -> list[date]:
    """The days that a run's tags name; raises IntentMapError on one that is no date.

    Dagster takes the partition of a tag as it is, or the next one that there is, and stops in its
    own words on one from before the first; so whoever reads its partitions judges these days first.
    """
    days = []
    for said in (tags[name] for name in PARTITION_TAGS if name in tags):
        try:
            days.append(date.fromisoformat(said))
        except ValueError as error:
            raise IntentMapError(
                f"'{said}' is no day; partitions are named as in 2026-07-01."
            ) from error
    return days


def quarters_asked(
    tags: Mapping[str, str], offered: TimeWindowPartitionsDefinition, project_start: date
) -> list[date]:
    """The quarters that a run's tags name; of a range its ends. Raises IntentMapError without any,
    and on a day that no version can be of."""
    newest = date.fromisoformat(offered.get_last_partition_key())
    days = [version_date(day, newest, project_start) for day in days_asked(tags)]
    if not days:
        raise IntentMapError(
            "No quarter was chosen. Choose the partition of one, which is named by its first day "
            "as in 2026-07-01, or let `intent-map quarterly` take the one that is going on."
        )
    return days
