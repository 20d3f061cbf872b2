"""Tells people what the early warnings of the newest days are: as text, and through a webhook.

Belongs here: which warnings are news, their words, sending them, and the note of what was sent or
missed.
Does not belong here: what is worth a warning (mart_early_warnings), the check that Dagster shows
(defs/published.py).

An alert must never cost a night: whatever goes wrong on the way out is a sentence for the log.
"""

import json
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from http.client import HTTPException
from pathlib import Path

import duckdb

from orchestration.one_line import one_line
from orchestration.publishing import SCHEMA
from orchestration.settings import SERVING_FILE, Settings

TABLE = "mart_early_warnings"
SENT_FILE = "alerts_sent.json"
# for a single answer of the network, and for all of it
TIMEOUT_SECONDS = 10
LONGEST_SECONDS = 30
MOST_LINES = 20
# the newest date is often a day that has only begun, so the day before it is news too
DAYS_SHOWN = 2
LONGEST_NAME = 120


@dataclass(frozen=True)
class EarlyWarning:
    """One row of mart_early_warnings with a warning."""

    date: date
    micro_conversion: str
    channel_group: str
    warning: str
    severity: str
    sessions: int
    expected_rate: float
    actual_rate: float
    money_at_risk: float
    reason: str

    @property
    def key(self) -> str:
        return f"{self.date} {self.micro_conversion} {self.channel_group} {self.warning}"

    def __str__(self) -> str:
        return (
            f"{self.severity.upper()} {self.date} {self.micro_conversion}, "
            f"{one_line(self.channel_group, LONGEST_NAME)}: "
            f"{self.warning.replace('_', ' ')}, {self.actual_rate:.1%} of {self.sessions:,} "
            f"sessions where {self.expected_rate:.1%} were expected, "
            f"{self.money_at_risk:,.2f} at risk. {self.reason}"
        )


def newest_warnings(settings: Settings) -> list[EarlyWarning]:
    """The published warnings of the newest days, most severe first, then by money at risk."""
    with duckdb.connect(str(settings.serving / SERVING_FILE), read_only=True) as served:
        is_there = served.execute(
            "select count(*) from information_schema.tables where table_schema = ? "
            "and table_name = ?",
            [SCHEMA, TABLE],
        ).fetchone()[0]
        return warnings_in(served) if is_there else []


def warnings_in(served: duckdb.DuckDBPyConnection) -> list[EarlyWarning]:
    """The same of a served file that is open; raises duckdb.CatalogException without the mart."""
    return _warnings(served, f"date > (select max(date) from {SCHEMA}.{TABLE}) - {DAYS_SHOWN}")


def _warnings(
    served: duckdb.DuckDBPyConnection, condition: str, values: Sequence[object] = ()
) -> list[EarlyWarning]:
    rows = served.execute(
        f"""
        select
            date, micro_conversion, channel_group, warning, severity, sessions,
            expected_rate, actual_rate, cast(money_at_risk as double), reason
        from {SCHEMA}.{TABLE}
        where
            warning is not null
            and {condition}
        order by severity = 'critical' desc, money_at_risk desc, date, micro_conversion,
            channel_group
        """,
        values,
    ).fetchall()
    return [EarlyWarning(*row) for row in rows]


def _still_there(settings: Settings, keys: set[str]) -> list[EarlyWarning]:
    """The published warnings with these keys, of whatever day."""
    if not keys:
        return []
    key = "concat_ws(' ', date, micro_conversion, channel_group, warning)"
    with duckdb.connect(str(settings.serving / SERVING_FILE), read_only=True) as served:
        return _warnings(served, f"list_contains(?::varchar[], {key})", [sorted(keys)])


def alert(
    settings: Settings, warnings: Sequence[EarlyWarning], report: Callable[[str], None] = print
) -> int:
    """Report the warnings, and send those that are news to the webhook when there is one.

    Returns how many were sent. Raises nothing: a webhook that is down is a sentence in the log,
    and what it missed is sent with the next run.
    """
    for warning in warnings[:MOST_LINES]:
        report(f"early warning: {warning}")
    if len(warnings) > MOST_LINES:
        report(f"early warnings: {len(warnings) - MOST_LINES} more in {TABLE}.")
    if not settings.webhook:
        return 0
    note = settings.home / SENT_FILE
    try:
        sent, missed = _read_note(note)
        # by the next run the day of one that was missed may be none of the newest any more
        older = _still_there(settings, missed - {warning.key for warning in warnings})
        news = [warning for warning in [*warnings, *older] if warning.key not in sent]
        if not news:
            return 0
        told = {warning.key for warning in news}
        try:
            _within(LONGEST_SECONDS, lambda: _post(settings.webhook, news))
        except (OSError, ValueError, HTTPException):
            _write_note(note, sent, told)
            raise
        # only what may come up again is kept: of the newest days, also what one run does not find
        newest = max(warning.date for warning in [*warnings, *news])
        since = (newest - timedelta(DAYS_SHOWN - 1)).isoformat()
        _write_note(note, {key for key in sent | told if key[:10] >= since}, set())
    except (OSError, ValueError, HTTPException, duckdb.Error) as error:
        report(
            f"The early warnings could not be sent to INTENT_MAP_WEBHOOK ({_in_words(error)}). "
            "They stand in the table, and are sent with the next run."
        )
        return 0
    report(f"{len(news)} early warnings sent to INTENT_MAP_WEBHOOK.")
    return len(news)


def _within(seconds: float, act: Callable[[], None]) -> None:
    """Do it, but wait no longer than this; raises what it raises, or TimeoutError.

    A socket's own timeout begins anew with every byte, and a look-up of a name has none: a server
    that trickles would hold the night, and the home's lock, for ever.
    """
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def acted() -> None:
        try:
            act()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    threading.Thread(target=acted, name="webhook", daemon=True).start()
    try:
        error = ended.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error


def _post(address: str, news: Sequence[EarlyWarning]) -> None:
    lines = [str(warning) for warning in news[:MOST_LINES]]
    if len(news) > MOST_LINES:
        lines.append(f"{len(news) - MOST_LINES} more in {TABLE}.")
    body = {
        # the member that chat tools show
        "text": "\n".join(lines),
        "warnings": [
            {**asdict(warning), "date": warning.date.isoformat()} for warning in news
        ],
    }  # fmt: skip
    request = urllib.request.Request(
        address,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirects)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        response.read(1)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where an answer leads elsewhere, urllib goes there without the warnings, and whatever it
    finds would count as sent."""

    def redirect_request(self, *_: object) -> None:
        return None


def _read_note(path: Path) -> tuple[set[str], set[str]]:
    """The keys of what was sent, and of what the webhook missed."""
    try:
        note = json.loads(path.read_text("utf-8"))
        # a list is of a release that noted only what was sent
        parts = (note, []) if isinstance(note, list) else (note["sent"], note["missed"])
        sent, missed = map(set, parts)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        # without the note something is told twice, which is better than not at all
        return set(), set()
    return sent, missed


def _write_note(path: Path, sent: set[str], missed: set[str]) -> None:
    note = {"sent": sorted(sent), "missed": sorted(missed)}
    path.write_text(json.dumps(note, indent=1) + "\n", "utf-8")


def _in_words(error: Exception) -> str:
    """The reason without the address, which may carry a secret."""
    if isinstance(error, urllib.error.HTTPError):
        elsewhere = ", another address; name that one" if 300 <= error.code < 400 else ""
        return f"it answered {error.code}{elsewhere}"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or (isinstance(error, TimeoutError) and error) or type(error).__name__)
