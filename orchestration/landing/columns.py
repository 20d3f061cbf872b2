"""From the columns a file has to the columns raw declares: matching by name, reading by type.

Belongs here: which found column is which declared one, the query that makes raw rows of them, and
how what could not be read is kept.
Does not belong here: opening files (reading.py), reading one value (values.py), business rules
(staging and later models).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import duckdb

from orchestration.landing.declaration import (
    NEEDED_COLUMNS,
    RAW_TABLE,
    RawColumn,
    column_name,
    is_left_out,
    raw_tables,
)
from orchestration.landing.values import (
    NUMBERS,
    SCALARS,
    SourceColumn,
    Type,
    any_cleaned,
    clean_value,
    cleaned_value,
    fields_of,
    json_object_of,
    microseconds,
    nested_value,
    text_of,
    variant_as_json,
)
from orchestration.one_line import one_line
from orchestration.sources import LANDING_SOURCES
from orchestration.sql_text import literal, quoted

# what a byte sequence that is not UTF-8 was replaced by
NOT_UTF8 = "\ufffd"
# how much of a text that could not be read is kept
KEPT = 200
EMPTY_LIST = "'[]'"
# twice as many take four times as long to plan: 20,000 would hold a night for minutes
MOST_COLUMNS = 5000
# what a call has that an application sends to Segment, and no table that comes of it; one from a
# server may lack the anonymousId
RAW_CALL = {"messageId", "type"}


class Refused(Exception):  # noqa: N818 - a verdict on a file, not a fault of the program
    """A file that cannot become rows; the message is the reason, in words."""


@dataclass(frozen=True)
class Relation:
    """Rows to be landed: a FROM-able query.

    sql: has the columns' expressions in scope, and __file (path), __row (from 1).
    others: SQL of a JSON object of the columns that are not declared, when the reader made it.
    broken: SQL of the text of a row that could not be taken apart, null on the others.
    """

    sql: str
    columns: tuple[SourceColumn, ...]
    others: str | None = None
    broken: str | None = None


@dataclass(frozen=True)
class Matched:
    """Found columns by declared name, and those that no declared column claims."""

    declared: dict[str, SourceColumn]
    others: list[SourceColumn] = field(default_factory=list)


def match_columns(source: str, found: Sequence[SourceColumn]) -> Matched:
    """Match by name, without regard to case and blanks; raises Refused on a needed one missing, and
    on more columns than can be read."""
    if len(found) > MOST_COLUMNS:
        raise Refused(f"it has {len(found):,} columns, and no more than {MOST_COLUMNS:,} are read")
    names = {column.name for column in raw_tables()[RAW_TABLE[source]].file_columns}
    matched = Matched({})
    for column in map(variant_as_json, found):
        plain = column.name.strip().lower()
        name = column_name(source, column.name)
        if name not in names:
            if not is_left_out(source, name):
                matched.others.append(column)
        elif name in matched.declared and name != plain:
            matched.declared[name] = _either(matched.declared[name], column)
        elif name in matched.declared:
            raise Refused(two_named(name))
        else:
            matched.declared[name] = column
    missing = [name for name in NEEDED_COLUMNS[source] if name not in matched.declared]
    if missing:
        raise Refused(lacks("column", missing, [column.name for column in found]))
    return matched


def two_named(name: str, what: str = "columns") -> str:
    """Why a file is not landed that says a thing twice."""
    return f"two of its {what} are named {name}; keep one of them"


def lacks(what: str, missing: Sequence[str], found: Sequence[str]) -> str:
    """Why a file is not landed that has no such columns, or keys."""
    sentence = (
        f"it lacks the needed {what}{'s' if missing[1:] else ''} {', '.join(missing)} "
        f"(found: {shown_names(found)})"
    )
    if RAW_CALL.issubset(found):
        sentence += (
            ". These are calls as Segment takes them; land the tables that it writes to a "
            "warehouse, whose names are like anonymous_id"
        )
    return sentence


def _either(first: SourceColumn, second: SourceColumn) -> SourceColumn:
    """Two versions of one column: an event has at most one of them, and where lists cannot be
    null, as in BigQuery, an empty list in the other."""
    texts = (f"nullif({cleaned_value(c, as_text=True)}, {EMPTY_LIST})" for c in (first, second))
    return SourceColumn(first.name, f"coalesce({', '.join(texts)})", duckdb.sqltype("VARCHAR"))


def shown_names(names: Sequence[str]) -> str:
    """Column names for a sentence, also when they are many or not text at all."""
    shown = [one_line(name, 40) for name in names[:30]]
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return (", ".join(shown) or "none") + more


def landing_select(
    source: str,
    relation: Relation,
    technical: dict[str, str],
    *,
    not_utf8: bool = False,
    is_clean: bool = False,
) -> str:
    """The query that turns a relation into rows of the source's raw table, columns in order.

    technical: SQL of load_id, row_number, file_name and landed_at, over the relation.
    not_utf8: the reader replaced bytes that are not UTF-8; a text that has such a place counts as
    unreadable instead of being taken for another text.
    is_clean: a reading before has shown that no value of these rows is cleaned or unreadable.
    Raises Refused when a needed column is missing.
    """
    table = raw_tables()[RAW_TABLE[source]]
    matched = _matched(source, relation)
    readers = _readers(source, matched, not_utf8=not_utf8, is_clean=is_clean)
    others = None
    if any(column.name == "properties" for column in table.columns):
        others = relation.others or json_object_of(matched.others)

    cleaned = [f"{sql} as {quoted('t_' + name)}" for name, sql in technical.items()]
    cleaned += [f"{relation.broken} as __broken"] if relation.broken else []
    cleaned += [f"{others} as __others"] if others else []
    final = {name: quoted("t_" + name) for name in technical}
    final |= {name: quoted("r_" + name) for name in readers}
    if others:
        final["properties"] = _with_others("properties" in readers)
    final["unreadable"] = _unreadable(readers, bool(relation.broken))
    judged = [
        f"{final.get(c.name, f'cast(null as {c.data_type})')} as {quoted(c.name)}"
        for c in table.columns
    ]
    return f"select {_lines(judged)}\nfrom ({_read(relation, readers, cleaned)}) as __read"


def checking_select(source: str, relation: Relation, load_id: str) -> str:
    """The query that reads every value of a relation once, whose files are of the source's shape.

    load_id: SQL, over the relation. One row for each: load_id, rows, whether any value is cleaned,
    rows with something unreadable, and sums of what was read. That costs less than half of counting
    what landing_select says of each row.
    Raises Refused when a needed column is missing.
    """
    matched = _matched(source, relation)
    readers = _readers(source, matched)
    given = {
        name: replace(column, sql=quoted("g_" + name)) for name, column in matched.declared.items()
    }
    is_cleaned = filter(None, map(any_cleaned, given.values()))
    failures = [f"({failed})" for it in readers.values() for _, failed, _ in it.failures]
    # what is no text would not be read to the end without a hash
    others = [
        f"bit_xor(hash({quoted('r_' + name)}))"
        for name in readers
        if str(given[name].type) != "VARCHAR"
    ]
    asked = [
        "count(*) as rows",
        f"{' or '.join(is_cleaned) or 'false'} as is_cleaned",
        f"count_if({' or '.join(failures) or 'false'}) as unreadable_rows",
        *others,
    ]
    besides = [f"{load_id} as t_load_id"]
    besides += [f"{matched.declared[name].sql} as {it.sql}" for name, it in given.items()]
    return (
        f"select t_load_id as load_id, {_lines(asked)}\n"
        f"from ({_read(relation, readers, besides)}) as __read group by t_load_id"
    )


def _matched(source: str, relation: Relation) -> Matched:
    matched = match_columns(source, relation.columns)
    own_id = LANDING_SOURCES[source].own_id
    if own_id in matched.declared:
        matched.declared[own_id] = replace(matched.declared[own_id], is_own_id=True)
    return matched


def _readers(
    source: str, matched: Matched, *, not_utf8: bool = False, is_clean: bool = False
) -> dict[str, "_Reader"]:
    return {
        column.name: _reader(column, matched.declared[column.name], not_utf8, is_clean)
        for column in raw_tables()[RAW_TABLE[source]].file_columns
        if column.name in matched.declared
    }


def _read(relation: Relation, readers: dict[str, "_Reader"], besides: list[str]) -> str:
    """Rows of a relation with c_<name> and r_<name> of each reader; two steps, so that no
    expression is written twice. besides: what else is wanted of the relation, with its name."""
    cleaned = [
        *besides,
        *(f"{reader.cleaned} as {quoted('c_' + name)}" for name, reader in readers.items()),
    ]
    read = [f"{reader.read} as {quoted('r_' + name)}" for name, reader in readers.items()]
    return (
        f"select __cleaned.*, {_lines(read)}\n"
        f"from (select {_lines(cleaned)}\nfrom ({relation.sql}) as __relation) as __cleaned"
    )


def _lines(expressions: list[str]) -> str:
    return ",\n  ".join(expressions)


def _with_others(has_properties: bool) -> str:
    """The row's own properties, which win, over the other columns; null when there is nothing."""
    merged = "json_merge_patch('{}', __others)"
    if has_properties:
        merged = f"json_merge_patch({merged}, coalesce(r_properties, '{{}}'))"
    return f"nullif(cast({merged} as varchar), '{{}}')"


@dataclass(frozen=True)
class _Reader:
    """How one declared column is read.

    cleaned: the value as it came, blanks as null, over the relation. read: as the declared type,
    over c_<name>. failures: (name to report, SQL condition, SQL of the text that is kept).
    """

    cleaned: str
    read: str
    failures: tuple[tuple[str, str, str], ...]


def _reader(wanted: RawColumn, column: SourceColumn, not_utf8: bool, is_clean: bool) -> _Reader:
    name, data_type = wanted.name, wanted.data_type
    kind, given, result = column.type.id, quoted("c_" + name), quoted("r_" + name)
    declared = duckdb.sqltype(data_type)
    is_text, is_record = declared.id == "varchar", declared.id in ("struct", "list")
    cleaned = (
        clean_value(column, as_text=is_text)
        if is_clean
        else cleaned_value(column, as_text=is_text, as_record=is_record)
    )
    if is_clean and (is_text or column.type == declared):
        return _Reader(cleaned, given, ())
    failed = f"{given} is not null and {result} is null"
    if kind == "varchar" and (not is_text or name == "properties"):
        # looked into only where nothing was read: blanks are nothing, as an empty text is
        failed = f"case when {failed} then trim({given}) <> '' else false end"
    failures = [(name, failed, given)]
    if name == "properties":
        read = f"case when try(json_type({given})) = 'OBJECT' then {given} end"
    elif name == "event_timestamp":
        # after BigQuery's TIMESTAMP_MICROS it is a time
        read = microseconds(given, kind)
    elif declared.id == "varchar" and not_utf8:
        read = f"case when not contains({given}, {literal(NOT_UTF8)}) then {given} end"
    elif declared.id == "varchar":
        read, failures = given, []
    elif is_record:
        read = nested_value(given, column.type, declared)
        failures += _failures_in_record(name, column.type, declared)
        failures += _failures_in_money(name, column.type)
    else:
        read = SCALARS[declared.id](given, kind, data_type)
    return _Reader(cleaned, read, () if is_clean else tuple(failures))


def _failures_in_record(name: str, found: Type, declared: Type) -> list[tuple[str, str, str]]:
    """Numbers directly inside a record, such as ecommerce.purchase_revenue, that are no numbers."""
    given, result = quoted("c_" + name), quoted("r_" + name)
    if declared.id != "struct":
        return []
    failures = []
    fields = {field.lower(): (field, kind) for field, kind in fields_of(found)}
    for leaf, kind in declared.children:
        if kind.id not in NUMBERS:
            continue
        if found.id == "varchar":
            own = f"json_extract_string({given}, {literal('/' + leaf)})"
        elif leaf in fields and fields[leaf][1].id not in NUMBERS:
            own = text_of(f"struct_extract({given}, {literal(fields[leaf][0])})", fields[leaf][1])
        else:
            continue
        own = f"nullif({own}, '')"
        # a cast makes 1 of true
        missed = (
            f"({own} in ('true', 'false') or struct_extract({result}, {literal(leaf)}) is null)"
        )
        failures.append((f"{name}.{leaf}", f"{own} is not null and {missed}", own))
    return failures


def _failures_in_money(name: str, found: Type) -> list[tuple[str, str, str]]:
    """GA4's parameters of money, where JSON gives something of which nothing was read. The whole
    parameter is kept, which nobody takes for an amount."""
    given, result = quoted("c_" + name), quoted("r_" + name)
    if name != "event_params" or found.id != "varchar":
        return []
    failures = []
    for key in ("value", "currency"):
        nothing = " and ".join(
            f"x.value.{kind}_value is null" for kind in ("string", "int", "double", "float")
        )
        is_empty = f"lambda x: x.key = {literal(key)} and {nothing}"
        # a merge patch leaves nulls out
        content = "replace(json_extract(x, '$.value')::varchar, ':\"\"', ':null')"
        is_lost = (
            f"lambda x: json_extract_string(x, '$.key') = {literal(key)} "
            f"and cast(json_merge_patch('{{}}', {content}) as varchar) not in ('{{}}', 'null')"
        )
        # a list that a loader wrote as text is JSON once more
        params = (
            f"cast(case when json_type({given}) = 'VARCHAR' "
            f"then json_extract_string({given}, '$') else {given} end as json[])"
        )
        own = (
            f"case when len(list_filter({result}, {is_empty})) > 0 "
            f"then list_filter({params}, {is_lost})[1] end"
        )
        failures.append((f"{name}.{key}", f"{own} is not null", own))
    return failures


def _unreadable(readers: dict[str, _Reader], has_broken: bool) -> str:
    """SQL of the JSON object of column → text of all that could not be read, or null."""
    failures = [failure for reader in readers.values() for failure in reader.failures]
    if has_broken:
        failures.append(("row", "__broken is not null", "__broken"))
    if not failures:
        return "cast(null as varchar)"
    members = [
        f"{literal(name)}, case when {failed} then left(cast({text} as varchar), {KEPT}) end"
        for name, failed, text in failures
    ]
    return (
        f"case when {' or '.join(f'({failed})' for _, failed, _ in failures)} then "
        f"cast(json_merge_patch('{{}}', json_object({', '.join(members)})) as varchar) end"
    )
