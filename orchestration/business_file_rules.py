"""Declares the business files: every CSV, its columns, and the rules of its rows.

Belongs here: BUSINESS_FILES, and the checks that it is made of: of a cell, of a row, of several
rows together. Does not belong here: opening files, naming rows (business_files.py).
"""

import functools
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb

from orchestration.errors import first_line
from orchestration.policy import parse_iso_date
from orchestration.sources import EVENT_SOURCES

Row = dict[str, str]
# what is wrong with a cell, as the end of a sentence that starts with the cell; None when right
CellCheck = Callable[[str], str | None]
# (column, sentence) for each fault of a row
RowCheck = Callable[[Row], Iterator[tuple[str, str]]]
# (row number, column, sentence) for each fault that only several rows together show
TableCheck = Callable[[dict[int, Row]], Iterator[tuple[int, str, str]]]


@dataclass(frozen=True)
class Column:
    name: str
    check: CellCheck
    required: bool = True


@dataclass(frozen=True)
class BusinessFile:
    """One CSV. unique: columns that no two rows share, and how to say that two do."""

    name: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    unique_said: str = "two rows for one key"
    row_checks: tuple[RowCheck, ...] = ()
    table_checks: tuple[TableCheck, ...] = ()


def text(cell: str) -> str | None:
    return "reads as an empty cell" if cell.lower() == "null" else None


def name(cell: str) -> str | None:
    if cell.startswith("("):
        return "starts with a parenthesis, which is kept for (all) and (none)"
    return text(cell)


def event(cell: str) -> str | None:
    if cell.startswith("("):
        return "is no event, and only a micro-conversion can be met by the start of a session"
    return text(cell)


def property_name(cell: str) -> str | None:
    # all of them mean something in a JSON path, a star alone all properties at once
    if re.search(r"[\"|\\]", cell):
        return "has a quote, a bar or a backslash in it, which no property name may have"
    return "names no one property" if cell == "*" else text(cell)


def mail_domain(cell: str) -> str | None:
    if not re.fullmatch(r"[^@ |%_.]+(\.[^@ |%_.]+)+", cell):
        return "is no domain written like gmail.com"
    return lower_case_text(cell)


def lower_case_text(cell: str) -> str | None:
    return text(cell) or (None if cell == cell.lower() else f"must be lower-case: {cell.lower()}")


def one_of(*allowed: str) -> CellCheck:
    def check(cell: str) -> str | None:
        return None if cell in allowed else f"is not one of {', '.join(allowed)}"

    return check


def boolean(cell: str) -> str | None:
    # spreadsheets write TRUE
    return None if cell.lower() in ("true", "false") else "is not one of true, false"


def as_number(cell: str) -> float | None:
    return float(cell) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell) else None


# what the tables of the seeds hold: decimal(18,4), decimal(18,8) and integer
LARGEST_AMOUNT = 99_999_999_999_999
SMALLEST_RATE, LARGEST_RATE = 0.00000001, 9_999_999_999
LARGEST_INTEGER = 2_147_483_647
# ten years in hours: a night looks back twice as far, and a calendar has a beginning
LONGEST_WINDOW = 87_600


def number(
    low: float | None = None, high: float | None = None, above: float | None = None
) -> CellCheck:
    """A number from low to high, or greater than above."""

    def check(cell: str) -> str | None:
        value = as_number(cell)
        if value is None:
            comma = as_number(cell.replace(",", ".")) is not None
            return "is not a number" + ("; write a point, not a comma" if comma else "")
        if low is not None and high is not None and not low <= value <= high:
            return f"is not between {_plain(low)} and {_plain(high)}"
        if low is not None and value < low:
            return f"is less than {_plain(low)}"
        if above is not None and value <= above:
            return f"is not greater than {above}"
        return None

    return check


def _plain(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def whole_number(low: int, high: int = LARGEST_INTEGER) -> CellCheck:
    """A whole number from low to high, at most what an integer holds."""

    def check(cell: str) -> str | None:
        if not re.fullmatch(r"-?[0-9]+", cell):
            return "is not a whole number"
        # else 1 and 01 would pass for two places of an order
        if re.match(r"-?0.|-0", cell):
            return "has a zero in front; write the number without"
        # by its digits first: Python refuses to read thousands of them
        if len(cell.lstrip("-")) > 10 or int(cell) > high:
            return f"is more than {high}" if cell[0] != "-" else f"is less than {low}"
        return f"is less than {low}" if int(cell) < low else None

    return check


def iso_date(cell: str) -> str | None:
    return None if parse_iso_date(cell) else "is not a date written like 2026-07-01"


def currency(cell: str) -> str | None:
    return None if re.fullmatch("[A-Z]{3}", cell) else "is not three capital letters such as EUR"


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    # opening one takes longer than trying all expressions
    return duckdb.connect()


@functools.lru_cache
def pattern(cell: str) -> str | None:
    """A regular expression that the engines know, for text that is lower-cased before matching."""
    try:
        with warnings.catch_warnings():
            # of [[:alpha:]], which the engines know
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(cell)
        with _engine().cursor() as connection:
            connection.execute("select regexp_matches('', ?)", [cell])
    except (re.error, duckdb.Error) as error:
        reason = first_line(error).removeprefix("Invalid Input Error: ").rstrip(".")
        return (
            f"is no regular expression ({reason}); look-around and back-references are "
            "not known, a literal bracket or plus needs a backslash"
        )
    if re.search("[A-Z]", re.sub(r"\\.|\(\?[a-zA-Z:<]*|\[:[a-z]+:\]", "", cell)):
        return "has capital letters and never matches: text is lower-cased first"
    return None


def property_has_operator_and_threshold(row: Row) -> Iterator[tuple[str, str]]:
    property_, operator, threshold = row["property"], row["operator"], row["threshold"]
    if not property_:
        for column in ("operator", "threshold"):
            if row[column]:
                yield (
                    column,
                    f"{column} on no property: '{row[column]}' has nothing to act on; fill in the "
                    "property, or empty this cell",
                )
        return
    if not operator:
        yield "operator", f"the cell is empty, but the property '{property_}' needs it"
    if operator == "is_business_email":
        if threshold:
            yield (
                "threshold",
                f"'{threshold}' has no effect, since is_business_email compares with "
                "free_mail_domains.csv; empty this cell",
            )
    elif not threshold:
        yield "threshold", f"the cell is empty, but the property '{property_}' needs it"
    elif operator in NUMERIC_OPERATORS and as_number(threshold) is None:
        yield "threshold", f"'{threshold}' is not a number, which the operator {operator} needs"
    elif operator == "matches" and (said := pattern(threshold)):
        yield "threshold", f"'{threshold}' {said}"
    if property_ in NUMERIC_PROPERTIES:
        if operator in TEXT_OPERATORS:
            yield "operator", f"'{operator}' is for text, and {NUMERIC_PROPERTIES[property_]}"
        elif operator not in NUMERIC_OPERATORS and threshold and as_number(threshold) is None:
            said = NUMERIC_PROPERTIES[property_]
            yield "threshold", f"'{threshold}' is not a number, and {said}"


def session_rule_counts_sessions(row: Row) -> Iterator[tuple[str, str]]:
    """Rules about the start of a session: which of the visitor's sessions it is, and no more."""
    if row["event_name"] != SESSION_START:
        if row["event_name"].startswith("("):
            yield "event_name", f"'{row['event_name']}' is no event; known is {SESSION_START}"
        return
    if row["property"] != "session_number":
        yield (
            "property",
            f"'{row['property']}' is nothing that the start of a session has; known is "
            "session_number",
        )
    for column, only in (
        ("min_occurrences", "1"),
        ("occurrence_scope", "session"),
        ("counting", "once_per_session"),
    ):
        if row[column] != only:
            yield (
                column,
                f"'{row[column]}' has no effect, since a session starts once; write {only}, and "
                "the number of the visit as threshold",
            )


def refund_is_another_event(row: Row) -> Iterator[tuple[str, str]]:
    if row["refund_event_name"] and row["refund_event_name"] == row["event_name"]:
        yield (
            "refund_event_name",
            f"'{row['refund_event_name']}' is the goal's own event, and would give back what it "
            "brings",
        )


def fixed_value_goes_with_its_source(row: Row) -> Iterator[tuple[str, str]]:
    if row["value_source"] == "fixed" and not row["fixed_value"]:
        yield "fixed_value", "the cell is empty, but value_source is fixed"
    if row["value_source"] in ("event", "orders") and row["fixed_value"]:
        yield (
            "fixed_value",
            f"'{row['fixed_value']}' has no effect, since value_source is {row['value_source']}; "
            "empty this cell, or make the source fixed",
        )


def bot_rule_has_what_its_kind_needs(row: Row) -> Iterator[tuple[str, str]]:
    needs = {
        "user_agent": ("pattern", "threshold"),
        "not_a_bot": ("pattern", "threshold"),
        "behaviour": ("threshold", "pattern"),
    }
    if row["kind"] not in needs:
        return
    needed, unused = needs[row["kind"]]
    if not row[needed]:
        yield needed, f"the cell is empty, but a rule of kind {row['kind']} needs it"
    if row["kind"] == "behaviour" and row["rule"] not in BEHAVIOURS:
        yield "rule", f"'{row['rule']}' is not measured; known are {', '.join(BEHAVIOURS)}"
    if row[unused]:
        yield unused, f"'{row[unused]}' has no effect on a rule of kind {row['kind']}; empty it"


def only_the_last_rule_matches_everything(rows: dict[int, Row]) -> Iterator[tuple[int, str, str]]:
    patterns = ("source_pattern", "medium_pattern", "campaign_pattern")
    ordered = [(i, row) for i, row in rows.items() if re.fullmatch("[0-9]+", row["rule_order"])]
    ordered.sort(key=lambda entry: int(entry[1]["rule_order"]))
    for line, row in ordered[:-1]:
        if not any(row[column] for column in patterns):
            yield line, patterns[0], "no pattern at all matches everything; later rules never act"


def steps_are_numbered_from_one(rows: dict[int, Row]) -> Iterator[tuple[int, str, str]]:
    for (funnel, _), steps in _funnels(rows).items():
        numbers = sorted(int(row["step_number"]) for row in steps.values())
        missing = next((i for i, seen in enumerate(numbers, start=1) if seen > i), None)
        if missing:
            line = next(i for i, row in steps.items() if int(row["step_number"]) > missing)
            yield line, "step_number", f"the funnel '{funnel}' has no step {missing} before this"


def a_funnel_has_one_window(rows: dict[int, Row]) -> Iterator[tuple[int, str, str]]:
    for (funnel, _), steps in _funnels(rows).items():
        first = next(iter(steps.values()))["window_hours"]
        for line, row in steps.items():
            if row["window_hours"] != first:
                yield (
                    line,
                    "window_hours",
                    f"'{row['window_hours']}' differs from the funnel's first row, "
                    f"'{first}': a funnel '{funnel}' has one window",
                )


def at_most(limit: int, column: str, enabled: bool) -> TableCheck:
    """At most so many names in a starter pack: an event's rules are bits of one number."""

    def check(rows: dict[int, Row]) -> Iterator[tuple[int, str, str]]:
        names: dict[str, set[str]] = {}
        for line, row in rows.items():
            if enabled and row["is_enabled"].lower() != "true":
                continue
            of_pack = names.setdefault(row["starter_pack"], set())
            of_pack.add(row[column])
            if len(of_pack) > limit:
                used = "enabled" if enabled else "used"
                yield (
                    line,
                    column,
                    f"this is one too many: a starter pack has room for {limit} that are {used}",
                )
                return

    return check


def _funnels(rows: dict[int, Row]) -> dict[tuple[str, str], dict[int, Row]]:
    funnels: dict[tuple[str, str], dict[int, Row]] = {}
    for line, row in rows.items():
        if re.fullmatch("[0-9]+", row["step_number"]):
            funnels.setdefault((row["funnel"], row["starter_pack"]), {})[line] = row
    return funnels


BEHAVIOURS = ("events_per_minute", "events_per_session")
SESSION_START = "(session)"
NUMERIC_OPERATORS = (">=", ">", "<=", "<")
TEXT_OPERATORS = ("contains", "matches", "is_business_email")
# properties that are always numbers, and how to say so
NUMERIC_PROPERTIES = {
    "value": "the property value is money",
    "session_number": "the property session_number counts a visitor's sessions",
}
STARTER_PACK = Column("starter_pack", one_of("ecommerce", "b2b_saas", "content"))
IS_ENABLED = Column("is_enabled", boolean)

BUSINESS_FILES = (
    BusinessFile(
        "event_dictionary.csv",
        (
            Column("source_system", one_of(*EVENT_SOURCES, "any")),
            Column("source_event_name", text),
            Column("event_name", event),
        ),
        unique=("source_system", "source_event_name"),
        unique_said="two meanings for one name of a source",
    ),
    BusinessFile(
        "required_properties.csv",
        (
            Column("event_name", event),
            Column("property", property_name),
        ),
        unique=("event_name", "property"),
        unique_said="one requirement twice",
    ),
    BusinessFile(
        "free_mail_domains.csv",
        (Column("domain", mail_domain),),
        unique=("domain",),
        unique_said="one domain twice",
    ),
    BusinessFile(
        "micro_conversions.csv",
        (
            Column("micro_conversion", name),
            Column("event_name", text),
            Column("property", property_name, required=False),
            Column(
                "operator", one_of(*NUMERIC_OPERATORS, "=", "!=", *TEXT_OPERATORS), required=False
            ),
            Column("threshold", text, required=False),
            Column("min_occurrences", whole_number(1)),
            Column("occurrence_scope", one_of("session", "visitor")),
            Column("counting", one_of("once_per_session", "every")),
            Column("kind", one_of("process", "exploratory")),
            Column(
                "phase",
                one_of("awareness", "consideration", "intent", "conversion", "retention"),
            ),
            Column("tier", one_of("soft", "medium", "hard")),
            Column("weight", number(0, 1)),
            STARTER_PACK,
            IS_ENABLED,
        ),
        unique=("micro_conversion", "starter_pack"),
        unique_said="two rules for one name",
        row_checks=(property_has_operator_and_threshold, session_rule_counts_sessions),
        table_checks=(at_most(40, "micro_conversion", enabled=True),),
    ),
    BusinessFile(
        "macro_conversions.csv",
        (
            Column("macro_conversion", name),
            Column("event_name", event),
            Column("value_source", one_of("event", "fixed", "orders")),
            Column("fixed_value", number(0, LARGEST_AMOUNT), required=False),
            Column("default_value", number(0, LARGEST_AMOUNT)),
            Column("counting", one_of("once_per_order", "once_per_session", "every")),
            Column("refund_event_name", event, required=False),
            STARTER_PACK,
            IS_ENABLED,
        ),
        unique=("macro_conversion", "starter_pack"),
        unique_said="two rules for one name",
        row_checks=(fixed_value_goes_with_its_source, refund_is_another_event),
        table_checks=(at_most(6, "macro_conversion", enabled=True),),
    ),
    BusinessFile(
        "funnels.csv",
        (
            Column("funnel", name),
            Column("step_number", whole_number(1)),
            Column("event_name", event),
            Column("window_hours", whole_number(1, LONGEST_WINDOW)),
            STARTER_PACK,
        ),
        unique=("funnel", "step_number", "starter_pack"),
        unique_said="two events for one step",
        table_checks=(
            steps_are_numbered_from_one,
            a_funnel_has_one_window,
            at_most(10, "event_name", enabled=False),
        ),
    ),
    BusinessFile(
        "intent_rules.csv",
        (
            Column("rule_order", whole_number(0)),
            Column("source_pattern", pattern, required=False),
            Column("medium_pattern", pattern, required=False),
            Column("campaign_pattern", pattern, required=False),
            Column(
                "intent_class", one_of("brand", "generic", "social", "email", "direct", "other")
            ),
        ),
        unique=("rule_order",),
        unique_said="two rules at one place of the order",
        table_checks=(only_the_last_rule_matches_everything,),
    ),
    BusinessFile(
        "traffic_source_categories.csv",
        (
            Column("source", lower_case_text),
            Column("source_category", one_of("search", "social", "video", "shopping")),
        ),
        unique=("source",),
        unique_said="two categories for one source",
    ),
    BusinessFile(
        "campaign_settings.csv",
        (
            Column("campaign", text),
            Column("bids_on", one_of("micro", "mixed", "macro")),
            Column("target_roas", number(above=0), required=False),
        ),
        unique=("campaign",),
        unique_said="two rows for one campaign",
    ),
    BusinessFile(
        "currency_rates.csv",
        (
            Column("currency", currency),
            Column("date", iso_date),
            Column("rate", number(SMALLEST_RATE, LARGEST_RATE)),
        ),
        unique=("currency", "date"),
        unique_said="two rates of one currency from one day on",
    ),
    BusinessFile(
        "bot_rules.csv",
        (
            Column("rule", text),
            Column("kind", one_of("user_agent", "not_a_bot", "behaviour")),
            Column("pattern", pattern, required=False),
            Column("threshold", number(above=0), required=False),
        ),
        unique=("rule",),
        unique_said="two rules for one name",
        row_checks=(bot_rule_has_what_its_kind_needs,),
    ),
)
