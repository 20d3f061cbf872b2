"""Prints what was published: counts, funnel, values per segment, yesterday per channel.

Belongs here: reading the serving file, and plain text tables of at most 100 columns. Rows of spend
and orders, and files set aside, are not published, so what was read comes from the warehouse,
opened for reading.
Does not belong here: building or publishing anything.
"""

import contextlib
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.errors import IntentMapError, first_line
from orchestration.one_line import one_line
from orchestration.policy import effective_vars
from orchestration.settings import DASHBOARD_FILE, PROJECT_ROOT, SERVING_FILE, Settings

WIDTH = 100
SEGMENTS_SHOWN = 3
FILES_SHOWN = 5
ABSENT = "-"
TIERS = ("soft", "medium", "hard", "macro")
LONGEST_CHANNEL = 24

# of the first event that counts
FIRST_DAY = "select min(date) from marts.mart_event_audit where raw > refused"
# of a version's rows of mart_micro_values: acts have a value, but none adds anything to a session
VALUES_NO_SESSION = "max(value) > 0 and coalesce(max(abs(incremental_value)), 0) = 0"

Section = Callable[[duckdb.DuckDBPyConnection, dict[str, Any]], Iterator[str]]


def print_report(settings: Settings, report: Callable[[str], None] = print) -> None:
    """Print all sections; raises IntentMapError when nothing is published or it cannot be read."""
    served = published_file(settings)
    values = effective_vars(settings)
    for line in [*counts_section(settings.warehouse), ""]:
        report(line)
    try:
        with duckdb.connect(str(served), read_only=True) as connection:
            for section in (funnel_section, micro_section, segment_section, day_section):
                for line in [*_guarded(section, connection, values), ""]:
                    report(line)
    except duckdb.Error as error:
        raise IntentMapError(f"{served} cannot be read: {first_line(error)}") from error


def published_file(settings: Settings) -> Path:
    """The file that is served; raises IntentMapError when there is none."""
    served = settings.serving / SERVING_FILE
    if not served.exists():
        raise IntentMapError(f"Nothing is published at {served} yet; make nightly publishes.")
    return served


def _guarded(
    section: Section, connection: duckdb.DuckDBPyConnection, values: dict[str, Any]
) -> Iterator[str]:
    try:
        yield from section(connection, values)
    except duckdb.CatalogException as error:
        yield f"(left out, since the serving file lacks something: {first_line(error)})"


def counts_section(warehouse: Path) -> Iterator[str]:
    """Rows read, accepted, duplicate, refused per source, and the refused ones by reason."""
    yield "Rows read"
    if not warehouse.exists():
        yield f"  no warehouse file at {_short(warehouse)}, so nothing was read yet"
        return
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            counted = connection.execute(
                """
                select
                    source_system,
                    count(*) as read,
                    count(*) filter (where outcome = 'accepted') as accepted,
                    count(*) filter (where outcome = 'duplicate') as duplicate,
                    count(*) filter (where outcome = 'refused') as refused
                from intermediate.int_event_receipts
                group by rollup (source_system)
                order by source_system nulls last
                """
            ).fetchall()
            reasons = connection.execute(
                """
                select reason, count(*)
                from intermediate.int_event_receipts
                where outcome = 'refused'
                group by reason
                order by count(*) desc, reason
                """
            ).fetchall()
            others = [(name, _rows_of(connection, name)) for name in ("orders", "ad_spend")]
            aside = connection.execute(
                "select source || '/' || file_name, reason from raw.loads "
                "where status = 'set_aside' order by load_id"
            ).fetchall()
    except duckdb.CatalogException:
        yield "  no event was read yet"
        return
    except duckdb.Error as error:
        yield f"  not shown, as the warehouse is in use: {first_line(error)}"
        return
    sources = [(row[0] or "all events", *(f"{n:,}" for n in row[1:])) for row in counted]
    if len(counted) == 2:  # one source: the sum would say the same twice
        sources = sources[:1]
    if len(counted) < 2:
        yield "  no event was read yet"
    else:
        yield from table(("source", "read", "accepted", "duplicate", "refused"), sources)
    if reasons:
        said = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
        yield from _wrapped(f"refused: {said}")
    yield from _wrapped(
        "besides: " + ", ".join(f"{count:,} rows of {name}" for name, count in others)
    )
    for name, reason in aside[:FILES_SHOWN]:
        yield from _wrapped(f"set aside: {one_line(name)}: {one_line(reason)}")
    if len(aside) > FILES_SHOWN:
        yield f"  and {len(aside) - FILES_SHOWN:,} more files set aside, all in raw.loads"


def _rows_of(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    with contextlib.suppress(duckdb.CatalogException):
        return connection.execute(f"select count(*) from raw.{name}").fetchone()[0]
    return 0


def funnel_section(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> Iterator[str]:
    """Impressions to macro-conversions over all days: has the tier at all, and in order."""
    row = funnel_sums(connection)
    yield "Funnel" if row[0] is None else f"Funnel, {row[0]} to {row[1]}"
    if row[0] is None:
        yield "  no session and no spend yet"
        return
    impressions, clicks, sessions, having, reached = funnel_counts(row)
    lines = [
        ("ad impressions", f"{impressions:,}", ABSENT, ABSENT, ABSENT),
        ("ad clicks", f"{clicks:,}", ABSENT, ABSENT, percent(clicks, impressions)),
        ("sessions (all channels)", f"{sessions:,}", percent(sessions, sessions), ABSENT, ABSENT),
    ]
    before = sessions
    for step, at_all, in_order in zip(TIERS, having, reached, strict=True):
        lines.append(
            (
                f"  with {step}",
                f"{at_all:,}",
                percent(at_all, sessions),
                f"{in_order:,}",
                percent(in_order, before),
            )
        )
        before = in_order
    yield from table(("step", "has it", "of sessions", "in order", "of step before"), lines)


def funnel_sums(
    connection: duckdb.DuckDBPyConnection, first: date = date.min, last: date = date.max
) -> tuple[Any, ...]:
    """First and last day with a row, then the sums that funnel_counts reads."""
    return connection.execute(
        """
        select
            min(date), max(date),
            sum(impressions), sum(clicks), sum(sessions),
            sum(soft_sessions), sum(medium_sessions), sum(hard_sessions), sum(macro_sessions),
            sum(reached_soft), sum(reached_medium), sum(reached_hard), sum(reached_macro)
        from marts.mart_daily_funnels
        where date between ? and ?
        """,
        [first, last],
    ).fetchone()


def funnel_counts(row: tuple[Any, ...]) -> tuple[int, int, int, list[int], list[int]]:
    """Impressions, clicks, sessions; those with each of TIERS, and those that reached it in order.
    row: of funnel_sums."""
    impressions, clicks, sessions, *rest = (int(n or 0) for n in row[2:])
    return impressions, clicks, sessions, rest[:4], rest[4:]


def micro_section(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> Iterator[str]:
    """The latest version's micro-conversions over all segments."""
    version = latest_version(connection)
    yield _version_title(connection, "What each micro-conversion is worth", version, values)
    if version is None:
        yield "  no micro-conversion is enabled, so nothing has a value"
        return
    rows = valued(connection, version[0], "(all)", "(all)")
    if not rows:
        yield "  the version is empty: no session had a micro-conversion within the look-back"
        return
    for goal, rows_of_goal in _by_goal(rows).items():
        if goal is not None:
            yield from _wrapped(f"goal {goal}")
        yield from _micro_lines(rows_of_goal)


def _by_goal(rows: Sequence[dict[str, Any]]) -> dict[str | None, list[dict[str, Any]]]:
    """The rows of each goal, which is None where there is only one."""
    goals: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        goals.setdefault(row["macro_conversion"], []).append(row)
    return goals if len(goals) > 1 else {None: list(rows)}


def _micro_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield from table(
        (
            "micro-conversion",
            "trials",
            "probability",
            "interval",
            "lift",
            "verdict",
            "increment",
            "value",
        ),
        [
            (
                row["micro_conversion"],
                f"{row['trials']:,}",
                percent(row["probability"], 1),
                _interval(row),
                ABSENT if row["lift"] is None else f"{row['lift']:.2f}",
                row["verdict"] or ABSENT,
                money(row["incremental_value"]),
                money(row["value"]),
            )
            for row in rows
        ],
    )
    ruled: dict[str, list[str]] = {}
    for row in rows:
        if row["guardrail"] not in (None, "none", "no_history"):
            ruled.setdefault(row["guardrail"], []).append(row["micro_conversion"])
    # it changes nothing, but says what the value rests on
    few = ruled.pop("minimum_trials", [])
    for rule, names in ruled.items():
        yield from _wrapped(f"the guardrail {rule} set the value of {', '.join(names)}")
    if few:
        yield from _wrapped(
            f"too few trials, so that mostly the configured weight speaks, of {', '.join(few)}"
        )


def segment_section(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> Iterator[str]:
    """The same for the segments with most trials."""
    version = latest_version(connection)
    yield _version_title(connection, "Per segment", version, values)
    if version is None:
        yield "  no segment has a probability yet"
        return
    segments = connection.execute(
        """
        select intent_class, visitor_type
        from marts.mart_conversion_probabilities
        where value_version = ? and intent_class <> '(all)' and visitor_type <> '(all)'
        group by intent_class, visitor_type
        order by sum(trials) desc, intent_class, visitor_type
        """,
        [version[0]],
    ).fetchall()
    if not segments:
        yield "  no segment has a probability yet"
        return
    for count in range(min(SEGMENTS_SHOWN, len(segments)), 0, -1):
        lines = _segment_lines(connection, version[0], segments[:count])
        if max(map(len, lines)) <= WIDTH:
            break
    yield from lines
    if len(segments) > count:
        yield from _wrapped(
            f"the {count} segments with most trials of {len(segments)}, probability and interval "
            "in %; all stand in mart_conversion_probabilities and mart_micro_values"
        )


def _segment_lines(
    connection: duckdb.DuckDBPyConnection, version: str, segments: Sequence[tuple[str, str]]
) -> list[str]:
    groups = {1 + 3 * place: ", ".join(segment) for place, segment in enumerate(segments)}
    rows = [
        {**row, "place": place}
        for place, segment in enumerate(segments)
        for row in valued(connection, version, *segment)
    ]
    header = ("micro-conversion", *("prob.", "interval", "value") * len(segments))
    lines = []
    for goal, rows_of_goal in _by_goal(rows).items():
        if goal is not None:
            lines += _wrapped(f"goal {goal}")
        cells: dict[str, list[str]] = {}
        for row in rows_of_goal:
            line = cells.setdefault(row["micro_conversion"], [ABSENT] * 3 * len(segments))
            line[3 * row["place"] : 3 * row["place"] + 3] = [
                percent(row["probability"], 1).removesuffix(" %"),
                _interval(row).removesuffix(" %"),
                money(row["value"]),
            ]
        lines += table(header, [(name, *line) for name, line in cells.items()], groups=groups)
    return lines


def day_section(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> Iterator[str]:
    """Yesterday per channel; the last day with sessions when yesterday has none."""
    zone = ZoneInfo(values["reporting_time_zone"])
    yesterday = datetime.now(zone).date() - timedelta(days=1)
    # spend and refunds can be there before the events: without these they bring nothing
    with_sessions, with_any = connection.execute(
        "select max(date) filter (where sessions > 0), max(date) "
        "from marts.mart_daily_values where date <= ?",
        [yesterday],
    ).fetchone()
    day = with_sessions or with_any
    if day is None:
        yield "Yesterday"
        yield "  no day with data yet"
        return
    title = _day_title(day, yesterday, with_sessions is not None)
    yield f"{title}, in {values['reporting_currency']}"
    rows = connection.execute(
        """
        select
            channel_group,
            sum(sessions), sum(hard_conversions), sum(macro_conversions),
            sum(revenue), sum(expected_revenue), sum(cost), max(value_version)
        from marts.mart_daily_values
        where date = ?
        group by rollup (channel_group)
        order by grouping(channel_group), sum(sessions) desc, channel_group
        """,
        [day],
    ).fetchall()
    # of one day all rows have the same version
    is_money = rows[0][7] != "(prior)"
    yield from table(
        ("channel", "sessions", "hard", "macro", "revenue", "value", "cost", "value / cost"),
        [
            (
                one_line(row[0], LONGEST_CHANNEL) if row[0] else "all channels",
                *(f"{int(n or 0):,}" for n in row[1:4]),
                *(money(n) for n in row[4:7]),
                ABSENT
                if (value := over(row[5], row[6] if is_money else None)) is None
                else f"{value:z,.2f}",
            )
            for row in rows
        ],
    )
    yield from _wrapped(
        "value is the revenue that the day's sessions are expected to bring, now or later"
        if is_money
        else "before the first version value is made of the configured weights: it ranks channels, "
        "and is no money to compare with revenue or cost"
    )


def latest_version(connection: duckdb.DuckDBPyConnection) -> tuple[str, date] | None:
    """The newest version and its first day; (prior) before any, None without micro-conversions."""
    return connection.execute(
        """
        select value_version, valid_from
        from marts.mart_micro_values
        group by value_version, valid_from
        order by valid_from desc, value_version desc
        limit 1
        """
    ).fetchone()


@dataclass(frozen=True)
class Restated:
    """times: how often a version was; moment: when it last was, UTC without zone; reason: why."""

    times: int
    moment: datetime
    reason: str | None


def restated(
    connection: duckdb.DuckDBPyConnection, version: tuple[str, date] | None
) -> Restated | None:
    """The restatement of the version that is in force; None for one as first written."""
    # what an earlier release served has no such mart
    with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):
        row = connection.execute(
            """
            select restatement, known_from, reason
            from marts.mart_value_history
            where value_version = ? and restatement > 0
            order by restatement desc
            limit 1
            """,
            [version[0] if version else None],
        ).fetchone()
        return Restated(*row) if row else None
    return None


def valued(
    connection: duckdb.DuckDBPyConnection,
    version: str,
    intent_class: str,
    visitor_type: str,
) -> list[dict[str, Any]]:
    """One row per goal and micro-conversion of the version in that segment: its value, and the
    probability that it rests on; the columns by their names in the marts."""
    cursor = connection.execute(
        """
        select
            micro_conversion, macro_conversion,
            coalesce(probabilities.trials, 0) as trials,
            micro_values.probability,
            probabilities.probability_lower, probabilities.probability_upper,
            probabilities.lift, probabilities.verdict,
            micro_values.incremental_value, micro_values.value, micro_values.guardrail
        from marts.mart_micro_values as micro_values
        left join marts.mart_conversion_probabilities as probabilities
            using (value_version, micro_conversion, macro_conversion, intent_class, visitor_type)
        where value_version = ? and intent_class = ? and visitor_type = ?
        order by macro_conversion, micro_values.tier_weight, micro_conversion
        """,
        [version, intent_class, visitor_type],
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _version_title(
    connection: duckdb.DuckDBPyConnection,
    title: str,
    version: tuple[str, date] | None,
    values: dict[str, Any],
) -> str:
    if version is None:
        return title
    money_said = f"{title}, in {values['reporting_currency']}"
    # a name in parentheses stands for the configured weights, in force before any version
    if version[0].startswith("("):
        return f"{money_said}: configured weights, no version written yet"
    again = ", restated" if restated(connection, version) else ""
    return f"{money_said}: version {version[0]}, in force from {version[1]}{again}"


def _day_title(day: date, yesterday: date, has_sessions: bool) -> str:
    if day == yesterday:
        return f"Yesterday ({day}) per channel"
    return f"The last day with {'sessions' if has_sessions else 'data'} ({day}) per channel"


def _interval(row: dict[str, Any]) -> str:
    lower, upper = row["probability_lower"], row["probability_upper"]
    if lower is None or upper is None:
        return ABSENT
    return f"{100 * lower:.1f}-{100 * upper:.1f} %"


def over(part: Any, whole: Any) -> float | None:
    """The quotient; none unless the divisor is above 0: cost can be given back."""
    known = part is not None and whole is not None and whole > 0
    return float(part) / float(whole) if known else None


def percent(part: float | None, whole: float) -> str:
    """Share of the whole as text; a dash when there is none."""
    return f"{100 * part / whole:z.1f} %" if part is not None and whole else ABSENT


def money(value: Any) -> str:
    return ABSENT if value is None else f"{float(value):z,.2f}"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    groups: Mapping[int, str] | None = None,
) -> list[str]:
    """Lines of a table indented by two: the first column flush left, the others flush right.

    groups: column number -> a title above the header that starts at that column.
    """
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = []
    if groups:
        title = ""
        for column, text in groups.items():
            title = title.ljust(2 + sum(widths[:column]) + 2 * column) + text + "  "
        lines.append(title.rstrip())
    for line in [header, ["-" * width for width in widths], *rows]:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        lines.append(("  " + "  ".join([first, *others])).rstrip())
    return lines


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _short(path: Path) -> str:
    """The path as a person in the repository would type it."""
    return str(path.relative_to(PROJECT_ROOT)) if path.is_relative_to(PROJECT_ROOT) else str(path)


def published_places(settings: Settings) -> list[str]:
    """Where the published files are, one line each."""
    served = settings.serving / SERVING_FILE
    return [
        f"  {_short(served)}  (DuckDB, schema marts)",
        f"  {_short(settings.serving / 'parquet')}  (the same tables as Parquet)",
        f"  {_short(settings.serving / DASHBOARD_FILE)}  (a page for the browser)",
    ]
