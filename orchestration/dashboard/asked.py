"""What the sections of the page speak of, read once from the serving file.

Belongs here: the days, the version and what a home has at all. Does not belong here: the rows of a
section (acts.py, days.py, values.py).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from orchestration.quarters import first_day_of_quarter, next_quarter
from orchestration.report import FIRST_DAY, VALUES_NO_SESSION, Restated, latest_version, restated

DAYS = 28


@dataclass(frozen=True)
class Asked:
    """What the sections speak of. day: the newest that is over and has sessions, None without any
    row; restated: of the version, None as first written; has_spend: any cost in the days shown;
    has_sessions: any on a day that is over, so that `day` is such a day; values_no_session: the
    version, as no revenue came of settled sessions before it; first_version: the day of the first
    one, where nothing happened before the quarter that is going on."""

    day: date | None
    version: tuple[str, date] | None
    restated: Restated | None
    has_spend: bool
    has_sessions: bool
    values_no_session: bool
    first_version: date | None

    @property
    def first(self) -> date:
        """First of the last days, day included."""
        return self.day - timedelta(days=DAYS - 1)

    @property
    def first_before(self) -> date:
        """First of as many days before these."""
        return self.day - timedelta(days=2 * DAYS - 1)


def asked_of(connection: duckdb.DuckDBPyConnection, today: date) -> Asked:
    """What a serving file lets the page speak of, on a day of the reporting time zone."""
    try:
        with_sessions, with_any = connection.execute(
            "select max(date) filter (where sessions > 0), max(date) "
            "from marts.mart_daily_values where date < ?",
            [today],
        ).fetchone()
        day, has_sessions = with_sessions or with_any, with_sessions is not None
        has_spend = day is not None and bool(
            connection.execute(
                "select count(*) from marts.mart_daily_values where date between ? and ? "
                "and cost <> 0",
                [day - timedelta(days=2 * DAYS - 1), day],
            ).fetchone()[0]
        )
    except (duckdb.CatalogException, duckdb.BinderException):
        day, has_spend, has_sessions = None, False, False
    try:
        version = latest_version(connection)
    except (duckdb.CatalogException, duckdb.BinderException):
        version = None
    return Asked(
        day,
        version,
        restated(connection, version),
        has_spend,
        has_sessions,
        _values_no_session(connection, version),
        _first_version(connection, today),
    )


def _values_no_session(
    connection: duckdb.DuckDBPyConnection, version: tuple[str, date] | None
) -> bool:
    if version is None or version[0].startswith("("):
        return False
    return bool(
        connection.execute(
            f"select {VALUES_NO_SESSION} from marts.mart_micro_values where value_version = ?",
            [version[0]],
        ).fetchone()[0]
    )


def _first_version(connection: duckdb.DuckDBPyConnection, today: date) -> date | None:
    try:
        (first,) = connection.execute(FIRST_DAY).fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    quarter = first_day_of_quarter(today)
    return next_quarter(quarter) if first is not None and first >= quarter else None
