"""What stands on the disk: published files, the page, attached tables, room, an erasure's mark.

Belongs here: whether they are there, whole and new enough. Does not belong here: what the tables
say (served.py).
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestration.erasure import FOLDER as ERASURES
from orchestration.erasure import UNFINISHED as UNFINISHED_ERASURE
from orchestration.errors import IntentMapError
from orchestration.health.findings import CHECKS, ERROR, OK, WARN, Finding, duration
from orchestration.health.view import View
from orchestration.landing import attached_sources
from orchestration.landing.attached import see_to_it
from orchestration.locking import HeldError
from orchestration.publishing.places import PARQUET_LINK
from orchestration.settings import DASHBOARD_FILE, MANIFEST_FILE, SERVING_FILE


def of_publish(view: View) -> Iterator[Finding]:
    manifest = view.settings.serving / MANIFEST_FILE
    try:
        published = json.loads(manifest.read_text(encoding="utf-8"))
        moment = datetime.fromisoformat(published["published_at"]).astimezone(UTC)
        size = published["serving_bytes"]
        found = (view.settings.serving / SERVING_FILE).stat().st_size
    except FileNotFoundError:
        yield Finding("publish", WARN, "Nothing is published yet. make nightly.")
        return
    except (OSError, ValueError, KeyError, TypeError):
        yield Finding("publish", ERROR, f"{manifest} cannot be read. intent-map publish.")
        return
    hours = max(0.0, (view.now.replace(tzinfo=UTC) - moment).total_seconds() / 3600)
    figures = {"hours since publish": round(hours, 2), "bytes": found}
    said = f"Published {moment:%Y-%m-%d %H:%M} UTC, {duration(hours / 24)} ago"
    if found != size:
        # a look between two renames of a publish sees this for an instant
        sentence = f"{said}, but the served file is not the one of that manifest. Look again soon."
        yield Finding("publish", WARN, sentence, figures=figures)
        return
    limit = view.values["health_publish_hours"]
    severity = ERROR if hours > 2 * limit else WARN if hours > limit else OK
    hint = "" if severity == OK else " See why no run succeeded since."
    yield Finding("publish", severity, f"{said}.{hint}", figures=figures)
    yield _dashboard(view, moment, published.get("run_id"))


def _dashboard(view: View, published_at: datetime, run_id: str | None) -> Finding:
    """The page over what was published at that moment, by that run."""
    if view.run_id is not None and view.run_id == run_id:
        return Finding("dashboard", OK, "The run that published writes the page as well.")
    page = view.settings.serving / DASHBOARD_FILE
    hint = "Unless a run is at work, intent-map dashboard writes it."
    try:
        written = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    except OSError:
        return Finding("dashboard", WARN, f"The page {page} is not there. {hint}")
    if written < published_at:
        sentence = f"The page is of {written:%Y-%m-%d %H:%M} UTC, older than what is published."
        return Finding("dashboard", WARN, f"{sentence} {hint}")
    return Finding("dashboard", OK, CHECKS["dashboard"])


def of_attached(view: View) -> Iterator[Finding]:
    for source, entry in attached_sources(view.settings).items():
        severity, sentence = OK, f"{entry.shown} can be read."
        try:
            see_to_it(entry)
        except HeldError as held:
            sentence = str(held)
        except IntentMapError as error:
            severity, sentence = ERROR, str(error)
        yield Finding("attached", severity, sentence, source)


def of_disk(view: View) -> Iterator[Finding]:
    settings = view.settings
    if not settings.home.exists():
        return
    free = shutil.disk_usage(settings.home).free
    warehouse = _size(settings.warehouse.parent)
    served = _size(settings.serving / SERVING_FILE) + _size(settings.serving / PARQUET_LINK)
    needed = warehouse + served
    figures = {"free bytes": free, "warehouse bytes": warehouse, "served bytes": served}
    said = (
        f"{_bytes(free)} free; a full refresh and a publish can need {_bytes(needed)} "
        f"(warehouse {_bytes(warehouse)}, served {_bytes(served)})"
    )
    if free < needed:
        yield Finding("disk", ERROR, f"{said}. Make room before the next run.", figures=figures)
    elif free < needed * view.values["health_disk_share"]:
        yield Finding("disk", WARN, f"{said}.", figures=figures)
    else:
        yield Finding("disk", OK, f"{said}.", figures=figures)


def of_erasures(view: View) -> Iterator[Finding]:
    try:
        seconds = (view.settings.home / ERASURES / UNFINISHED_ERASURE).stat().st_mtime
    except OSError:
        yield Finding("erasure", OK, CHECKS["erasure"])
        return
    yield Finding(
        "erasure",
        WARN,
        f"The erasure that began {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC has not "
        "ended. Unless it is at work, run `intent-map erase-user` again with the same file: until "
        "it ends, files of the home may still hold these people.",
    )


def _size(path: Path) -> int:
    total = 0
    for one in [path] if path.is_file() else path.rglob("*"):
        # what a running publish takes away meanwhile does not count
        with contextlib.suppress(OSError):
            total += one.stat().st_size if one.is_file() else 0
    return total


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "KB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
