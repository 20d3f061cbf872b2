"""From the columns a file has to the columns raw declares: matching by name, reading by type.

Belongs here: which found column is which declared one, and the SQL that reads one value of any
type as text, time, date, number, JSON or nested record; what cannot be read is kept by name.
Does not belong here: opening files (reading.py), business rules (staging and later models).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from orchestration.landing.declaration import (
    NEEDED_COLUMNS,
    RAW_TABLE,
    literal,
    quoted,
    raw_tables,
)

# what a byte sequence that is not UTF-8 was replaced by
NOT_UTF8 = "\ufffd"
# how much of a text that could not be read is kept
KEPT = 200

Type = duckdb.sqltypes.DuckDBPyType

_INTEGERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
}
_FLOATS = {"float", "double"}
_NUMBERS = _INTEGERS | _FLOATS | {"decimal"}
_PLAIN_TIMES = {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
_NESTED = {"struct", "list", "array", "map", "union", "variant"}


class Refused(Exception):  # noqa: N818 - a verdict on a file, not a fault of the program
    """A file that cannot become rows; the message is the reason, in words."""


@dataclass(frozen=True)
class SourceColumn:
    """One column of a file or an attached table: its name, the SQL that reads it, its type."""

    name: str
    sql: str
    type: Type


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
    """Match by name, without regard to case and blanks; raises Refused on a needed one missing."""
    names = {column.name for column in raw_tables()[RAW_TABLE[source]].file_columns}
    matched = Matched({})
    for column in found:
        name = column.name.strip().lower()
        if name not in names:
            matched.others.append(column)
        elif name in matched.declared:
            raise Refused(f"two of its columns are named {name}; keep one of them")
        else:
            matched.declared[name] = column
    missing = [name for name in NEEDED_COLUMNS[source] if name not in matched.declared]
    if missing:
        raise Refused(
            f"it lacks the needed {'columns' if missing[1:] else 'column'} {', '.join(missing)} "
            f"(found: {shown_names([column.name for column in found])})"
        )
    return matched


def shown_names(names: Sequence[str]) -> str:
    """Column names for a sentence, also when they are many or not text at all."""
    shown = [shown_text(name, 40) for name in names[:30]]
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return (", ".join(shown) or "none") + more


def shown_text(text: str, length: int) -> str:
    """At most `length` printable characters of a text that may hold anything."""
    kept = "".join(char if char.isprintable() else "?" for char in text[:length])
    return kept + ("…" if len(text) > length else "")


def landing_select(
    source: str,
    relation: Relation,
    technical: dict[str, str],
    *,
    not_utf8: bool = False,
) -> str:
    """The query that turns a relation into rows of the source's raw table, columns in order.

    technical: SQL of load_id, row_number, file_name and landed_at, over the relation.
    not_utf8: the reader replaced bytes that are not UTF-8; a text that has such a place counts as
    unreadable instead of being taken for another text.
    Raises Refused when a needed column is missing.
    """
    table = raw_tables()[RAW_TABLE[source]]
    matched = match_columns(source, relation.columns)
    readers = {
        column.name: _reader(column.name, column.data_type, matched.declared[column.name], not_utf8)
        for column in table.file_columns
        if column.name in matched.declared
    }
    others = None
    if any(column.name == "properties" for column in table.columns):
        others = relation.others or _json_object(matched.others)

    # three steps, so that no expression is written twice: clean, read, judge
    cleaned = [f"{sql} as {quoted('t_' + name)}" for name, sql in technical.items()]
    cleaned += [f"{reader.cleaned} as {quoted('c_' + name)}" for name, reader in readers.items()]
    cleaned += [f"{relation.broken} as __broken"] if relation.broken else []
    cleaned += [f"{others} as __others"] if others else []
    read = [f"{reader.read} as {quoted('r_' + name)}" for name, reader in readers.items()]
    final = {name: quoted("t_" + name) for name in technical}
    final |= {name: quoted("r_" + name) for name in readers}
    if others:
        final["properties"] = _with_others("properties" in readers)
    final["unreadable"] = _unreadable(readers, bool(relation.broken))
    judged = [
        f"{final.get(c.name, f'cast(null as {c.data_type})')} as {quoted(c.name)}"
        for c in table.columns
    ]
    return (
        f"select {_lines(judged)}\nfrom (select __cleaned.*, {_lines(read)}\n"
        f"from (select {_lines(cleaned)}\nfrom ({relation.sql}) as __relation) as __cleaned) "
        "as __read"
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


def _reader(name: str, data_type: str, column: SourceColumn, not_utf8: bool) -> _Reader:
    kind, given, result = column.type.id, quoted("c_" + name), quoted("r_" + name)
    declared = duckdb.sqltype(data_type)
    cleaned = _cleaned(column, as_text=declared.id == "varchar")
    failures = [(name, f"{given} is not null and {result} is null", given)]
    if name == "properties":
        read = f"case when try(json_type({given})) = 'OBJECT' then {given} end"
    elif declared.id == "varchar" and not_utf8:
        read = f"case when not contains({given}, {literal(NOT_UTF8)}) then {given} end"
    elif declared.id == "varchar":
        read, failures = given, []
    elif declared.id in ("struct", "list"):
        read = _nested(given, column.type, declared)
        failures += _failures_in_record(name, column.type, declared)
    else:
        read = _SCALARS[declared.id](given, kind, data_type)
    return _Reader(cleaned, read, tuple(failures))


def _failures_in_record(name: str, found: Type, declared: Type) -> list[tuple[str, str, str]]:
    """Numbers directly inside a record, such as ecommerce.purchase_revenue, that are no numbers."""
    given, result = quoted("c_" + name), quoted("r_" + name)
    if declared.id != "struct":
        return []
    failures = []
    fields = {field.lower(): (field, kind) for field, kind in _children(found)}
    for leaf, kind in declared.children:
        if kind.id not in _NUMBERS:
            continue
        if found.id == "varchar":
            own = f"json_extract_string({given}, {literal('/' + leaf)})"
        elif leaf in fields and fields[leaf][1].id not in _NUMBERS:
            own = f"cast(struct_extract({given}, {literal(fields[leaf][0])}) as varchar)"
        else:
            continue
        own = f"nullif({own}, '')"
        missed = f"struct_extract({result}, {literal(leaf)}) is null"
        failures.append((f"{name}.{leaf}", f"{own} is not null and {missed}", own))
    return failures


def _cleaned(column: SourceColumn, as_text: bool) -> str:
    """A value with empty text and NaN as null; as text where a text is declared."""
    sql, kind = column.sql, column.type.id
    if kind in ("varchar", "enum"):
        empty = "'null'" if str(column.type) == "JSON" else "''"
        return f"nullif(cast({sql} as varchar), {empty})"
    if kind in _FLOATS and not as_text:
        return f"case when not isnan({sql}) then {sql} end"
    if kind in _FLOATS:
        # an id of a file with gaps is often stored as a float: 42.0 is the id 42
        return (
            f"case when isnan({sql}) then null when {sql} = trunc({sql}) "
            f"and abs({sql}) < 9007199254740992 then cast(cast({sql} as bigint) as varchar) "
            f"else cast({sql} as varchar) end"
        )
    if not as_text:
        return sql
    if kind == "blob":
        return f"nullif(coalesce(try(decode({sql})), cast({sql} as varchar)), '')"
    if kind in _NESTED:
        return f"cast(to_json({sql}) as varchar)"
    return f"cast({sql} as varchar)"


def _timestamp(given: str, kind: str, _: str) -> str:
    if kind in _PLAIN_TIMES or kind == "date":
        moment = f"cast({given} as timestamp)"
    elif kind == "timestamp with time zone":
        moment = f"make_timestamp(epoch_us({given}))"
    elif kind in _INTEGERS:
        moment = _moment_of_integer(f"try_cast({given} as bigint)")
    elif kind in _FLOATS or kind == "decimal":
        moment = _moment_of_number(given)
    elif kind == "varchar":
        iso = "make_timestamp(epoch_us(try_cast({} as timestamptz)))".format
        # second try for lower-case t and z, and a comma before the fraction
        lenient = iso(f"replace(upper({given}), ',', '.')")
        moment = f"coalesce({iso(given)}, {_moment_of_number(given)}, {lenient})"
    else:
        return "cast(null as timestamp)"
    # beyond these years the arithmetic of later models would overflow
    return (
        f"case when {moment} between timestamp '0001-01-01' and "
        f"timestamp '9999-12-31 23:59:59.999999' then {moment} end"
    )


def _moment_of_integer(whole: str) -> str:
    """Seconds, milliseconds, microseconds or nanoseconds by magnitude: as seconds 1e11 is the year
    5138, as milliseconds 1973, and so on by thousands."""
    return (
        f"case when {whole} between -99999999999 and 99999999999 "
        f"then make_timestamp({whole} * 1000000) "
        f"when {whole} between -99999999999999 and 99999999999999 "
        f"then make_timestamp({whole} * 1000) "
        f"when {whole} between -99999999999999999 and 99999999999999999 "
        f"then make_timestamp({whole}) else make_timestamp({whole} // 1000) end"
    )


def _moment_of_number(given: str) -> str:
    number = f"try_cast({given} as double)"
    whole = f"try_cast({given} as bigint)"
    return (
        f"case when abs({number}) < 1e11 "
        f"then make_timestamp(cast(round({number} * 1000000) as bigint)) "
        f"when abs({number}) < 1e14 then make_timestamp(cast(round({number} * 1000) as bigint)) "
        f"when abs({number}) < 1e17 then make_timestamp({whole}) "
        f"else make_timestamp({whole} // 1000) end"
    )


def _date(given: str, kind: str, _: str) -> str:
    if kind in _PLAIN_TIMES or kind in ("date", "timestamp with time zone"):
        day = f"cast({given} as date)"
    elif kind == "varchar" or kind in _NUMBERS:
        digits = f"cast(try_cast({given} as integer) as varchar)"
        compact = f"cast(try_strptime({digits}, '%Y%m%d') as date)"
        day = f"coalesce(try_cast(cast({given} as varchar) as date), {compact})"
    else:
        return "cast(null as date)"
    return f"case when {day} between date '0001-01-01' and date '9999-12-31' then {day} end"


def _decimal(given: str, kind: str, data_type: str) -> str:
    if kind == "varchar" or kind in _NUMBERS:
        return f"try_cast({given} as {data_type})"
    return f"cast(null as {data_type})"


def _bigint(given: str, kind: str, _: str) -> str:
    if kind in _INTEGERS:
        return f"try_cast({given} as bigint)"
    if kind == "varchar" or kind in _NUMBERS:
        # a cast would round 3.7 to 4
        exact = f"try_cast({given} as decimal(38, 9))"
        return f"case when {exact} = trunc({exact}) then try_cast({exact} as bigint) end"
    return "cast(null as bigint)"


_SCALARS = {"timestamp": _timestamp, "date": _date, "decimal": _decimal, "bigint": _bigint}


def moment_of(column: SourceColumn) -> str:
    """SQL of a column of any type read as a time, over the column itself."""
    return _timestamp(_cleaned(column, as_text=False), column.type.id, "")


_JSON_KIND = {"struct": "'OBJECT'", "list": "'ARRAY'"}


def _nested(sql: str, found: Type, declared: Type) -> str:
    """Read a record, or a list of records, whatever part of the declared shape it has.

    A missing field becomes null, a field of another type is cast, an unknown field is dropped.
    """
    if found.id == "varchar":
        shape, kind = literal(json.dumps(_json_shape(declared))), _JSON_KIND.get(declared.id)
        return f"case when try(json_type({sql})) = {kind} then json_transform({sql}, {shape}) end"
    if _casts(found, declared):
        return f"try_cast({sql} as {declared})"
    if declared.id == "list":
        item, found_item = declared.children[0][1], _item(found)
        if found_item is not None:
            return f"list_transform({sql}, lambda x: {_nested('x', found_item, item)})"
        wrapped = _only_child(found)
        if wrapped is not None:
            return _nested(f"struct_extract({sql}, {literal(wrapped[0])})", wrapped[1], declared)
        return f"cast(null as {declared})"
    if declared.id == "struct" and found.id == "struct":
        wrapped = _only_child(found)
        if wrapped is not None and wrapped[0].lower() in ("element", "item", "array"):
            return _nested(f"struct_extract({sql}, {literal(wrapped[0])})", wrapped[1], declared)
        fields = {name.lower(): (name, kind) for name, kind in found.children}
        parts = []
        for name, kind in declared.children:
            if name.lower() in fields:
                own, own_type = fields[name.lower()]
                value = _nested(f"struct_extract({sql}, {literal(own)})", own_type, kind)
            else:
                value = f"cast(null as {kind})"
            parts.append(f"{quoted(name)} := {value}")
        return f"case when {sql} is not null then struct_pack({', '.join(parts)}) end"
    return f"cast(null as {declared})"


def _casts(found: Type, declared: Type) -> bool:
    """Whether DuckDB's cast by field name does it: records need one field in common, and lists
    must not be wrapped as some Parquet writers do (list → element)."""
    if declared.id == "list":
        found_item = _item(found)
        return found_item is not None and _casts(found_item, declared.children[0][1])
    if declared.id == "struct":
        if found.id != "struct":
            return found.id == "null"
        fields = {name.lower(): kind for name, kind in found.children}
        shared = [(fields[n.lower()], kind) for n, kind in declared.children if n.lower() in fields]
        return bool(shared) and all(_casts(own, kind) for own, kind in shared)
    return True


def _item(found: Type) -> Type | None:
    return found.children[0][1] if found.id in ("list", "array") else None


def _only_child(found: Type) -> tuple[str, Type] | None:
    if found.id == "struct" and len(found.children) == 1:
        return found.children[0]
    return None


def _json_shape(declared: Type) -> object:
    if declared.id == "struct":
        return {name: _json_shape(kind) for name, kind in declared.children}
    if declared.id == "list":
        return [_json_shape(declared.children[0][1])]
    return str(declared)


def _json_object(others: Sequence[SourceColumn]) -> str | None:
    """JSON object of columns under their own names; empty texts and NaN are null."""
    if not others:
        return None
    members = []
    for column in others:
        kind = column.type.id
        if str(column.type) == "JSON" or kind in _NESTED | _INTEGERS | {"decimal", "boolean"}:
            value = column.sql
        elif kind in _FLOATS:
            value = f"case when isfinite({column.sql}) then {column.sql} end"
        else:
            value = _cleaned(column, as_text=True)
        members.append(f"{literal(column.name.strip())}, {value}")
    return f"json_object({', '.join(members)})"


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


def _children(found: Type) -> list[tuple[str, Type]]:
    return list(found.children) if found.id == "struct" else []
