"""Quarters: what a value version is valid for.

Belongs here: dates only. Does not belong here: Dagster's partitions (defs/partitions.py).
"""

from datetime import date


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
