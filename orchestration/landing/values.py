"""The SQL that reads one value: from any type that a file may have to the type raw declares.

Belongs here: text, times, dates, numbers, nested records and JSON, each as one expression over one
column; what cannot be read becomes null and never raises.
Does not belong here: which column is which (columns.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from orchestration.sources import PLACEHOLDERS
from orchestration.sql_text import literal, quoted

Type = duckdb.sqltypes.DuckDBPyType

_INTEGERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
}
_FLOATS = {"float", "double"}
NUMBERS = _INTEGERS | _FLOATS | {"decimal"}
_PLAIN_TIMES = {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
_ZONED_TIMES = {"timestamp with time zone", "timestamptz_ns"}
_TIMES = _PLAIN_TIMES | _ZONED_TIMES
# with blanks around it
_LONGEST_PLACEHOLDER = 16
# GMT+2 and EST5EDT are none, nor is the city of Area/City
_ABBREVIATION = "[^A-Za-z/_-][A-Za-z]{3,4}$"
# behind a time of day: clocks are at most 14 hours ahead and 12 behind, and an hour has 60 minutes
_IMPOSSIBLE_OFFSET = (
    r":[0-9.,]+ *([+](1[5-9]|[2-9][0-9]|14:?(0[1-9]|[1-9]))"
    r"|-(1[3-9]|[2-9][0-9]|12:?(0[1-9]|[1-9]))|[+-][0-9]{2}:?[6-9])"
)
_NESTED = {"struct", "list", "array", "map", "union"}


@dataclass(frozen=True)
class SourceColumn:
    """One column of a file or an attached table: its name, the SQL that reads it, its type.

    is_own_id: the id of an event, where a placeholder is none.
    """

    name: str
    sql: str
    type: Type
    is_own_id: bool = False


def cleaned_value(column: SourceColumn, as_text: bool, as_record: bool = False) -> str:
    """A value with empty text, NaN and a placeholder of an id as null; as text where a text is
    declared, and of type JSON as it is written where a record is."""
    sql, kind = column.sql, column.type.id
    if column.is_own_id:
        value = cleaned_value(replace(column, is_own_id=False), as_text)
        # the length first: most ids are longer than any of these words, and are not looked into
        return (
            f"case when length({value}) > {_LONGEST_PLACEHOLDER} then {value} "
            f"when not {_is_placeholder(value)} then {value} end"
        )
    if kind in ("varchar", "enum"):
        if as_record and _is_json(column.type):
            return f"nullif(nullif(cast({sql} as varchar), 'null'), '\"\"')"
        return f"nullif({text_of(sql, column.type)}, '')"
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
    if kind == "decimal":
        # so is the number of a database that knows no whole ones: 42.00 is the id 42
        return (
            f"case when {sql} = trunc({sql}) then cast(cast({sql} as decimal(38, 0)) as varchar) "
            f"else cast({sql} as varchar) end"
        )
    if kind == "blob":
        return f"nullif(coalesce(try(decode({sql})), cast({sql} as varchar)), '')"
    if kind in _NESTED:
        return f"cast(to_json({sql}) as varchar)"
    return f"cast({sql} as varchar)"


def variant_as_json(column: SourceColumn) -> SourceColumn:
    """A column of any types, row by row, as one of JSON, which is read as what it says."""
    if column.type.id != "variant":
        return column
    return replace(column, sql=f"to_json({column.sql})", type=duckdb.sqltype("JSON"))


def any_cleaned(column: SourceColumn) -> str | None:
    """SQL, an aggregate: whether cleaned_value and clean_value differ in any row; None where they
    never do. It reads each text, which a comparison that a file's statistics answer would not."""
    sql, kind = column.sql, column.type.id
    if column.is_own_id:
        plain = replace(column, is_own_id=False)
        text = clean_value(plain, as_text=True)
        # a case, since of an `and` that is no condition both sides are worked out
        is_short = f"length({text}) <= {_LONGEST_PLACEHOLDER}"
        found = _any(f"case when {is_short} then {_is_placeholder(text)} end")
        return " or ".join(filter(None, [any_cleaned(plain), found]))
    if _is_json(column.type):
        text = f"cast({sql} as varchar)"
        return _any(f"{text} = 'null' or starts_with({text}, '\"')")
    if kind in ("varchar", "enum"):
        # a number each: to ask all columns in one condition costs twice what reading them does
        return f"coalesce(min(strlen(cast({sql} as varchar))) = 0, false)"
    return _any(f"isnan({sql})") if kind in _FLOATS else None


def _is_json(kind: Type) -> bool:
    return str(kind) == "JSON"


def text_of(sql: str, kind: Type) -> str:
    """A value as text, one of type JSON as it reads: loaders, and DuckDB's own reader, give a whole
    column that type as soon as one of its values is no text."""
    value = f"cast({sql} as varchar)"
    if not _is_json(kind):
        return value
    return (
        f"case when starts_with({value}, '\"') "
        f"then coalesce(try(json_extract_string({value}, '$')), {value}) "
        f"when {value} <> 'null' then {value} end"
    )


def _any(condition: str) -> str:
    return f"coalesce(bool_or({condition}), false)"


def _is_placeholder(text: str) -> str:
    # a long `in`, or a list of constants, becomes a join of all rows, even where nobody reads it;
    # the separator stands in no id
    words = ", ".join(map(literal, PLACEHOLDERS))
    return (
        f"contains(concat_ws(chr(31), '', {words}, ''), chr(31) || lower(trim({text})) || chr(31))"
    )


def clean_value(column: SourceColumn, as_text: bool) -> str:
    """A value that is known to be neither an empty text nor NaN; as text where one is declared."""
    if column.type.id in ("varchar", "enum"):
        return f"cast({column.sql} as varchar)"
    return cleaned_value(column, as_text) if as_text else column.sql


def _timestamp(given: str, kind: str, _: str) -> str:
    if kind in _PLAIN_TIMES or kind == "date":
        moment = f"try_cast({given} as timestamp)"
    elif kind in _ZONED_TIMES:
        moment = f"make_timestamp(epoch_us({_in_microseconds(given, kind)}))"
    elif kind in _INTEGERS:
        moment = _moment_of_integer(f"try_cast({given} as bigint)")
    elif kind in _FLOATS or kind == "decimal":
        moment = _moment_of_number(given)
    elif kind == "varchar":
        iso = "make_timestamp(epoch_us(try_cast({} as timestamptz)))".format
        # second try for lower-case t and z, a comma before the fraction, and a blank before the
        # zone, as Snowflake writes it
        zone = r"'(:[0-9.]+) +([+-][0-9]|Z$)', '\1\2'"
        lenient = iso(f"regexp_replace(replace(upper({given}), ',', '.'), {zone})")
        readings = f"coalesce({iso(given)}, {_moment_of_number(given)}, {lenient})"
        moment = f"case when {_has_clear_zone(given)} then {readings} end"
    else:
        return "cast(null as timestamp)"
    # beyond these years the arithmetic of later models would overflow
    return (
        f"case when {moment} between timestamp '0001-01-01' and "
        f"timestamp '9999-12-31 23:59:59.999999' then {moment} end"
    )


def _in_microseconds(given: str, kind: str) -> str:
    """A time with a zone in nanoseconds, as pandas writes them, has no function and no date."""
    return f"cast({given} as timestamptz)" if kind == "timestamptz_ns" else given


def _has_clear_zone(text: str) -> str:
    """False for a time with an abbreviation behind it, which is several zones' (BST is British
    Summer Time and Bangladesh's), or holds in winter only (CET), and for one with an offset that
    no clock has. The last character is asked first, since most texts end with a digit or a Z."""
    last = f"{text}[-1]"
    return (
        f"({last} < 'A' or {last} = 'Z' or not regexp_matches({text}, {literal(_ABBREVIATION)}) "
        f"or regexp_matches({text}, '(?i)(utc|gmt)$')) "
        f"and ({last} > '9' or not regexp_matches({text}, {literal(_IMPOSSIBLE_OFFSET)}))"
    )


def _date_of_digits(whole: str) -> str:
    """A whole number such as 20260315 as that day's midnight; null where it is no date."""
    return f"try_strptime(cast({whole} as varchar), '%Y%m%d')"


def _is_date_of_digits(number: str, whole: str) -> str:
    # as seconds since 1970 these numbers are days of 1970, when there was nothing to count
    return f"{number} between 19000101 and 29991231 and {_date_of_digits(whole)} is not null"


def _time_of_digits(whole: str) -> str:
    """A whole number such as 20260315093000 as that moment; null where it is none."""
    return f"try_strptime(cast({whole} as varchar), '%Y%m%d%H%M%S')"


def _is_time_of_digits(number: str, whole: str) -> str:
    # as milliseconds since 1970 these numbers are later than the year 2570
    return (
        f"{number} between 19000101000000 and 29991231235959 "
        f"and {_time_of_digits(whole)} is not null"
    )


def _moment_of_integer(whole: str) -> str:
    """A date of eight digits, or with the time of day of fourteen; else seconds, milliseconds,
    microseconds or nanoseconds by magnitude: as seconds 1e11 is the year 5138, as milliseconds
    1973, and so on by thousands."""
    return (
        f"case when {_is_date_of_digits(whole, whole)} then {_date_of_digits(whole)} "
        f"when {whole} between -99999999999 and 99999999999 "
        f"then make_timestamp({whole} * 1000000) "
        f"when {_is_time_of_digits(whole, whole)} then {_time_of_digits(whole)} "
        f"when {whole} between -99999999999999 and 99999999999999 "
        f"then make_timestamp({whole} * 1000) "
        f"when {whole} between -99999999999999999 and 99999999999999999 "
        f"then make_timestamp({whole}) else make_timestamp({whole} // 1000) end"
    )


def _moment_of_number(given: str) -> str:
    number = f"try_cast({given} as double)"
    whole = f"try_cast({given} as bigint)"
    return (
        f"case when {number} = trunc({number}) and {_is_date_of_digits(number, whole)} "
        f"then {_date_of_digits(whole)} when abs({number}) < 1e11 "
        f"then make_timestamp(cast(round({number} * 1000000) as bigint)) "
        f"when {number} = trunc({number}) and {_is_time_of_digits(number, whole)} "
        f"then {_time_of_digits(whole)} "
        f"when abs({number}) < 1e14 then make_timestamp(cast(round({number} * 1000) as bigint)) "
        f"when abs({number}) < 1e17 then make_timestamp({whole}) "
        f"else make_timestamp({whole} // 1000) end"
    )


def _date(given: str, kind: str, _: str) -> str:
    if kind in _TIMES or kind == "date":
        day = f"try_cast({_in_microseconds(given, kind)} as date)"
    elif kind == "varchar" or kind in NUMBERS:
        compact = f"cast({_date_of_digits(f'try_cast({given} as integer)')} as date)"
        day = f"coalesce(try_cast(cast({given} as varchar) as date), {compact})"
    else:
        return "cast(null as date)"
    return f"case when {day} between date '0001-01-01' and date '9999-12-31' then {day} end"


def _decimal(given: str, kind: str, data_type: str) -> str:
    if kind == "float":
        # the digits that it was written with: a cast by number makes 12345.6699 of 12345.67
        given = f"cast({given} as varchar)"
    if kind == "varchar" or kind in NUMBERS:
        return f"try_cast({_plain(given, kind)} as {data_type})"
    return f"cast(null as {data_type})"


def _plain(given: str, kind: str) -> str:
    """A text that is to be a number, null with an underscore between digits, which a cast takes for
    a thousands separator."""
    return f"case when not contains({given}, '_') then {given} end" if kind == "varchar" else given


def _bigint(given: str, kind: str, _: str) -> str:
    if kind in _INTEGERS:
        return f"try_cast({given} as bigint)"
    if kind in _FLOATS:
        # not by way of a decimal, which has digits that a float lacks: 1711214400123.000061952
        return f"case when {given} = trunc({given}) then try_cast({given} as bigint) end"
    if kind == "varchar" or kind == "decimal":
        # a cast would round 3.7 to 4
        exact = f"try_cast({_plain(given, kind)} as decimal(38, 9))"
        return f"case when {exact} = trunc({exact}) then try_cast({exact} as bigint) end"
    return "cast(null as bigint)"


def microseconds(given: str, kind: str) -> str:
    """SQL of a moment as microseconds since 1970: a whole number is one, a time becomes one."""
    if kind in _TIMES:
        return f"epoch_us({_timestamp(given, kind, '')})"
    whole = _bigint(given, kind, "")
    return (
        f"coalesce({whole}, case when {_has_clear_zone(given)} "
        f"then epoch_us(try_cast({given} as timestamptz)) end)"
        if kind == "varchar"
        else whole
    )


def _double(given: str, kind: str, data_type: str) -> str:
    number = _decimal(given, kind, data_type)
    return f"case when isfinite({number}) then {number} end"


SCALARS = {
    **{"timestamp": _timestamp, "date": _date},
    **{"decimal": _decimal, "bigint": _bigint, "double": _double},
}


def moment_of(column: SourceColumn) -> str:
    """SQL of a column of any type read as a time, over the column itself."""
    column = variant_as_json(column)
    return _timestamp(cleaned_value(column, as_text=False), column.type.id, "")


_JSON_KIND = {"struct": "'OBJECT'", "list": "'ARRAY'"}


def nested_value(sql: str, found: Type, declared: Type) -> str:
    """Read a record, or a list of records, whatever part of the declared shape it has.

    A missing field becomes null, a field of another type is cast, an unknown field is dropped.
    """
    if declared.id not in _JSON_KIND:
        value = text_of(sql, found) if _is_json(found) else sql
        return f"try_cast({value} as {declared})"
    if found.id == "varchar":
        shape, kind = literal(json.dumps(_json_shape(declared))), _JSON_KIND[declared.id]
        # a loader that knows no records writes them as text, so that JSON holds JSON once more
        inner = f"json_extract_string({sql}, '$')"
        return (
            f"case when try(json_type({sql})) = {kind} then json_transform({sql}, {shape}) "
            f"when try(json_type({sql})) = 'VARCHAR' and try(json_type({inner})) = {kind} "
            f"then json_transform({inner}, {shape}) end"
        )
    if _casts(found, declared):
        return f"try_cast({sql} as {declared})"
    if declared.id == "list":
        item, found_item = declared.children[0][1], _item(found)
        if found_item is not None:
            return f"list_transform({sql}, lambda x: {nested_value('x', found_item, item)})"
        wrapped = _only_child(found)
        if wrapped is not None:
            return nested_value(_field(sql, wrapped[0]), wrapped[1], declared)
        return f"cast(null as {declared})"
    if declared.id == "struct" and found.id == "struct":
        wrapped = _only_child(found)
        if wrapped is not None and wrapped[0].lower() in ("element", "item", "array"):
            return nested_value(_field(sql, wrapped[0]), wrapped[1], declared)
        fields = {name.lower(): (name, kind) for name, kind in found.children}
        parts = []
        for name, kind in declared.children:
            if name.lower() in fields:
                own, own_type = fields[name.lower()]
                value = nested_value(_field(sql, own), own_type, kind)
            else:
                value = f"cast(null as {kind})"
            parts.append(f"{quoted(name)} := {value}")
        return f"case when {sql} is not null then struct_pack({', '.join(parts)}) end"
    return f"cast(null as {declared})"


def _casts(found: Type, declared: Type) -> bool:
    """Whether DuckDB's cast by field name does it: records need one field in common, lists must not
    be wrapped as some Parquet writers do (list → element), and texts be no JSON, with quotes."""
    if declared.id == "list":
        found_item = _item(found)
        return found_item is not None and _casts(found_item, declared.children[0][1])
    if declared.id == "struct":
        if found.id != "struct":
            return found.id == "null"
        fields = {name.lower(): kind for name, kind in found.children}
        shared = [(fields[n.lower()], kind) for n, kind in declared.children if n.lower() in fields]
        return bool(shared) and all(_casts(own, kind) for own, kind in shared)
    return not _is_json(found)


def _item(found: Type) -> Type | None:
    return found.children[0][1] if found.id in ("list", "array") else None


def _field(sql: str, name: str) -> str:
    return f"struct_extract({sql}, {literal(name)})"


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


def json_object_of(others: Sequence[SourceColumn]) -> str | None:
    """JSON object of columns under their own names; empty texts and NaN are null."""
    if not others:
        return None
    members = []
    for column in others:
        kind = column.type.id
        if _is_json(column.type) or kind in _NESTED | _INTEGERS | {"decimal", "boolean"}:
            value = column.sql
        elif kind in _FLOATS:
            value = f"case when isfinite({column.sql}) then {column.sql} end"
        else:
            value = cleaned_value(column, as_text=True)
        members.append(f"{literal(column.name.strip())}, {value}")
    return f"json_object({', '.join(members)})"


def fields_of(found: Type) -> list[tuple[str, Type]]:
    return list(found.children) if found.id == "struct" else []
