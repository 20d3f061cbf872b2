"""Quarters: what a value version is valid for.

Belongs here: dates only, and which of them a version may have. Does not belong here: Dagster's
partitions (defs/partitions.py).
"""

from datetime import date

from orchestration.errors import IntentMapError


def first_day_of_quarter(day: date) -> date:
    """The quarter that `day` lies in, as its first day."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def next_quarter(first_day: date) -> date:
    """First day of the quarter after the one that starts on first_day."""
    month = first_day.month + 3
    return date(first_day.year + 1, 1, 1) if month > 12 else date(first_day.year, month, 1)


def quarters_between(first: date, last: date) -> list[date]:
    """First days of all quarters from the one of `first` to the one of `last`."""
    days = [first_day_of_quarter(first)]
    while (following := next_quarter(days[-1])) <= last:
        days.append(following)
    return days


def version_date(as_of: date | None, today: date, project_start: date) -> date:
    """The first day of the quarter to value; raises IntentMapError when as_of is none."""
    if as_of is None:
        return first_day_of_quarter(today)
    earliest = first_day_of_quarter(project_start)
    if as_of < earliest:
        raise IntentMapError(
            f"{as_of} is before project_start_date ({project_start}), and no event from before "
            f"that is read. The first quarter that can be asked for is {earliest}."
        )
    if as_of > today:
        raise IntentMapError(
            f"{as_of} is in the future. A value version rests on what happened before it; the "
            f"newest that can be computed is {first_day_of_quarter(today)}."
        )
    start = first_day_of_quarter(as_of)
    if as_of != start:
        following = next_quarter(start)
        nearest = f"{start} or {following}" if following <= today else f"{start}"
        raise IntentMapError(
            f"{as_of} is not the first day of a quarter, and versions are valid from one on. "
            f"Nearest: {nearest}."
        )
    return as_of
