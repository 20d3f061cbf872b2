"""The page over what is published, serving/dashboard.html: one file, nothing from elsewhere.

Belongs here: which sections the page has, and bringing it to its place in one step. Does not belong
here: what the sections read (acts.py, days.py, values.py), how numbers and names read (wording.py),
how the page looks (page.html.j2).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.dashboard import acts, days, values, wording
from orchestration.dashboard.asked import DAYS, Asked, asked_of
from orchestration.disk import has_no_room, to_disk
from orchestration.errors import IntentMapError, first_line
from orchestration.locking import writer_lock
from orchestration.policy import effective_vars
from orchestration.publishing.places import UNFINISHED
from orchestration.report import published_file
from orchestration.settings import DASHBOARD_FILE, Settings
from orchestration.simulated import SIMULATED, is_simulated

TEMPLATE = "page.html.j2"
STALE_DAYS = 2

Section = Callable[[duckdb.DuckDBPyConnection, Asked], dict[str, Any]]

SECTIONS: dict[str, Section] = {
    "warnings": acts.warnings_section,
    "budgets": acts.budgets_section,
    "bids": acts.bids_section,
    "leaks": acts.leaks_section,
    "micro_health": acts.micro_health_section,
    "last_days": days.days_section,
    "channels": days.channels_section,
    "funnel": days.funnel_section,
    "micros": values.micros_section,
    "backtest": values.backtest_section,
    "audit": values.audit_section,
}


def write_dashboard(settings: Settings, report: Callable[[str], None] = print) -> Path:
    """Write the page over what is published; returns where.

    Raises IntentMapError when nothing is published, it cannot be read, or the page cannot be
    written; what is published, and the page before, are then as they were.
    """
    published_file(settings)
    path = settings.serving / DASHBOARD_FILE
    part = path.with_name(DASHBOARD_FILE + UNFINISHED)
    with writer_lock(settings, "dashboard", report=report):
        page = page_of(settings)
        try:
            part.write_text(page, encoding="utf-8", errors="replace")
            to_disk(part)
            part.replace(path)
            to_disk(path.parent)
        except OSError as error:
            reason = "the disk is full" if has_no_room(settings.home) else error.strerror or error
            raise IntentMapError(
                f"The page {path} could not be written: {reason}. The tables are published all the "
                "same; intent-map dashboard writes the page when the reason is gone."
            ) from error
        finally:
            part.unlink(missing_ok=True)
    report(f"Wrote the dashboard: {path}")
    return path


def page_of(settings: Settings, now: datetime | None = None) -> str:
    """The page as HTML. now: the moment that it speaks of, this one by default."""
    served = published_file(settings)
    policy = effective_vars(settings)
    now = (now or datetime.now(UTC)).astimezone(ZoneInfo(policy["reporting_time_zone"]))
    try:
        with duckdb.connect(str(served), read_only=True) as connection:
            asked = asked_of(connection, now.date())
            shown = {
                name: _guarded(section, connection, asked) for name, section in SECTIONS.items()
            }
            published_at = _published_at(connection)
    except duckdb.Error as error:
        raise IntentMapError(f"{served} cannot be read: {first_line(error)}") from error

    def here(moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(now.tzinfo)

    return _rendered(
        asked=asked,
        today=now.date(),
        published_at=here(published_at) if published_at else None,
        restated_on=here(asked.restated.moment).date() if asked.restated else None,
        currency=policy["reporting_currency"],
        zone=policy["reporting_time_zone"],
        simulated=SIMULATED if is_simulated(settings) else None,
        days=DAYS,
        stale_days=STALE_DAYS,
        **shown,
    )


def _rendered(**shown: Any) -> str:
    # a third of what the page costs, and nothing else here needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= wording.FILTERS
    return environment.get_template(TEMPLATE).render(**shown)


def _published_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    try:
        return connection.execute("select max(published_at) from marts.publication").fetchone()[0]
    except duckdb.CatalogException:
        return None


def _guarded(
    section: Section, connection: duckdb.DuckDBPyConnection, asked: Asked
) -> dict[str, Any]:
    """What the section shows; left_out says why when the serving file lacks what it reads."""
    try:
        return {"left_out": None, **section(connection, asked)}
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        return {"left_out": first_line(error)}
