"""Opens files of each format as one relation of rows, many files of one shape at once.

Belongs here: DuckDB's readers and their options, row numbers, what columns a file has.
Does not belong here: reading values (columns.py), damaged text (mending.py), transactions (run.py).
"""

import glob
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import duckdb

from orchestration.landing.columns import (
    EMPTY_LIST,
    NOT_UTF8,
    Refused,
    Relation,
    lacks,
    match_columns,
    two_named,
)
from orchestration.landing.declaration import (
    NEEDED_COLUMNS,
    RAW_TABLE,
    column_name,
    is_left_out,
    raw_tables,
)
from orchestration.landing.files import FORMATS, LandingFile
from orchestration.landing.mending import Header, Mended, read_header
from orchestration.landing.values import SourceColumn
from orchestration.sql_text import literal, quoted

STAGE = "temp.landing_stage"
FILE_NAME = "filename = '__file'"
# what a relation adds to the columns of a Parquet file
ADDED = ("__row", "__file")
# of a line of JSON, null where it is no object
DOCUMENT = "case when try(json_type(line)) = 'OBJECT' then line end as document"
# what the unloading of Snowflake, MySQL and PostgreSQL writes for null unless told otherwise
CSV_NULL = r"\N"
TEXT, JSON = duckdb.sqltype("VARCHAR"), duckdb.sqltype("JSON")


@dataclass(frozen=True)
class Shape:
    """What files must have in common to be read in one statement.

    alone: the path of a file that is read by itself.
    """

    format: str
    is_gzip: bool = False
    header: Header | None = None
    parquet_columns: tuple[tuple[str, str], ...] = ()
    alone: str | None = None

    @property
    def columns(self) -> list[str]:
        """The names that the head of the file gives; none of JSON lines, which have no head."""
        if self.header is not None:
            return list(self.header.columns)
        return [name for name, _ in self.parquet_columns]


@dataclass(frozen=True)
class Staged:
    """relation is None when no row is there; refused: path → reason, for files left out of it.

    keys: path → the names that a JSON file's objects have; of other formats the shape tells.
    """

    relation: Relation | None
    refused: dict[str, str]
    keys: dict[str, list[str]] = field(default_factory=dict)


def shape_of(con: duckdb.DuckDBPyConnection, file: LandingFile, tail: bytes) -> Shape:
    """Look at the head of a file; raises Refused, or duckdb.Error when it cannot be opened.

    tail: the end of a text, as check_whole returns it.
    """
    kind = FORMATS[file.suffix]
    if kind == "parquet":
        found = con.execute(f"describe select * from {_parquet([str(file.path)])}").fetchall()
        columns = tuple((name, data_type) for name, data_type, *_ in found)
        _refuse_mistakable(con, file, [name.lower() for name, _ in columns])
        match_columns(file.source, [SourceColumn(name, name, TEXT) for name, _ in columns])
        return Shape("parquet", parquet_columns=columns)
    if kind == "json":
        # where files follow each other, threads that read them may leave out a last line that is
        # cut off, and raise nothing
        return Shape("json", file.is_gzip, alone=str(file.path) if _is_cut(con, tail) else None)
    if file.source == "ga4":
        raise Refused("CSV cannot carry GA4's nested columns; export Parquet or JSON lines")
    header = read_header(file, NEEDED_COLUMNS[file.source])
    if header.columns:
        _match_header(file.source, header)
    return Shape("csv", file.is_gzip, header)


def _refuse_mistakable(
    con: duckdb.DuckDBPyConnection, file: LandingFile, names: Sequence[str]
) -> None:
    """Raise Refused on columns of which one would be taken for another."""
    taken = [name for name in ADDED if name in names]
    if "file_row_number" in names and "rowid" in names:
        taken.append("rowid")
    if taken:
        raise Refused(f"the reader needs the name {taken[0]} for itself; rename that column")
    # the reader numbers the second of two names that differ in case only, or not at all
    numbered = [name for name in names if re.sub(r"_[0-9]+$", "", name) in {*names} - {name}]
    if numbered:
        own = [name.strip().lower() for name in _own_names(con, file)]
        declared = {column.name for column in raw_tables()[RAW_TABLE[file.source]].file_columns}
        twice = [name for name in own if name in declared and own.count(name) > 1]
        if twice:
            raise Refused(two_named(twice[0]))


def _own_names(con: duckdb.DuckDBPyConnection, file: LandingFile) -> Iterator[str]:
    """The names of a Parquet file's columns as they stand in it, without those of fields."""
    rows = con.execute(
        f"select name, coalesce(num_children, 0) from parquet_schema({_paths([str(file.path)])})"
    ).fetchall()
    # a column is followed by its fields, each with its own
    fields = 0
    for name, children in rows[1:]:
        if not fields:
            yield name
        else:
            fields -= 1
        fields += children


def _match_header(source: str, header: Header) -> None:
    try:
        match_columns(source, [SourceColumn(name, name, TEXT) for name in header.columns])
    except Refused as refused:
        if header.columns[1:]:
            raise
        raise Refused(
            f"{refused}. Its first line is taken for the header; delete titles that stand above"
        ) from None


def _is_cut(con: duckdb.DuckDBPyConnection, tail: bytes) -> bool:
    """Whether JSON lines end with a line that is neither ended nor a whole value."""
    try:
        line = tail.rpartition(b"\n")[2].decode().strip()
    except UnicodeDecodeError:
        return True
    return bool(line) and not con.execute("select json_valid(?)", [line]).fetchone()[0]


def stage(
    con: duckdb.DuckDBPyConnection,
    source: str,
    shape: Shape,
    paths: list[str],
    *,
    mended: Mended | None = None,
    replace_not_utf8: bool = False,
) -> Staged:
    """Read the files; the relation numbers the rows of each file from 1, in the file's order.

    paths: all of the same shape. mended: the clean copy to be read in place of the one path.
    Text formats are copied to a temporary table first, because only its row ids tell the order of
    rows that several threads read. Raises duckdb.Error when a file is not as its shape says.
    """
    if shape.format == "parquet":
        return Staged(_parquet_relation(con, paths, replace_not_utf8), {})
    if shape.format == "csv" and not shape.header.columns:
        return Staged(None, {})
    if shape.format == "csv":
        _fill_stage(con, _csv(shape, paths, mended))
        columns = tuple(
            SourceColumn(name, f"c{number}", TEXT)
            for number, name in enumerate(shape.header.columns)
        )
        broken = "nullif(broken, '')" if mended else None
        return Staged(Relation(_numbered(len(paths) == 1), columns, broken=broken), {})
    _fill_stage(con, _json(shape, paths, mended))
    return _json_relation(con, source, paths)


def _fill_stage(con: duckdb.DuckDBPyConnection, query: str) -> None:
    con.execute(f"create or replace temp table {STAGE.split('.')[1]} as {query}")


def _numbered(is_single: bool) -> str:
    if is_single:
        first = f"(select min(rowid) from {STAGE})"
        return f"select *, rowid - {first} + 1 as __row from {STAGE}"
    return (
        f"select stage.*, stage.rowid - first_row + 1 as __row from {STAGE} as stage "
        f"join (select __file, min(rowid) as first_row from {STAGE} group by __file) using (__file)"
    )


def _paths(paths: list[str]) -> str:
    # DuckDB takes a path as a pattern: what looks like one has to be escaped
    return f"[{', '.join(literal(glob.escape(path)) for path in paths)}]"


def _parquet(paths: list[str], *options: str) -> str:
    always = ("binary_as_string = true", "hive_partitioning = false", "union_by_name = false")
    return f"read_parquet({', '.join([_paths(paths), *always, *options])})"


def parquet_in_place(paths: list[str], partitions: dict[str, str]) -> str:
    """A FROM-able reader of files in folders named column=value, with the types of those."""
    types = ", ".join(f"{name}: {kind}" for name, kind in partitions.items())
    return (
        f"read_parquet({_paths(paths)}, binary_as_string = true, union_by_name = false, "
        f"hive_partitioning = true, hive_types = {{{types}}}, file_row_number = true, {FILE_NAME})"
    )


def parquet_schemas(paths: list[str]) -> str:
    """A query for what the footer of each file says of its columns: path, as one text."""
    return (
        "select file_name, cast(list((name, type, type_length, repetition_type, num_children, "
        "converted_type, scale, precision, logical_type) order by column_id) as varchar) "
        f"from parquet_schema({_paths(paths)}) group by file_name"
    )


def parquet_rows(paths: list[str]) -> str:
    """A FROM-able reader of the files' own columns, with file_row_number from 0."""
    return _parquet(paths, "file_row_number = true")


def parquet_in_order(paths: list[str]) -> str:
    """A FROM-able reader of the files' own columns, whatever these are named."""
    return _parquet(paths)


def _parquet_relation(
    con: duckdb.DuckDBPyConnection, paths: list[str], replace_not_utf8: bool
) -> Relation:
    found = con.sql(f"select * from {_parquet(paths[:1])}")
    columns = tuple(
        SourceColumn(name, quoted(name), kind)
        for name, kind in zip(found.columns, found.types, strict=True)
    )
    if "file_row_number" in [name.lower() for name in found.columns]:
        if replace_not_utf8:
            raise Refused("it holds text that is not UTF-8")
        # the file has a column of the name that the reader's own would get: number as for text
        _fill_stage(con, f"select * from {_parquet(paths, FILE_NAME)}")
        return Relation(_numbered(len(paths) == 1), columns)
    numbered = (FILE_NAME, "file_row_number = true")
    if replace_not_utf8:
        return Relation(_marking_not_utf8(paths, columns, numbered), columns)
    files = _parquet(paths, *numbered)
    return Relation(f"select *, file_row_number + 1 as __row from {files}", columns)


def _marking_not_utf8(
    paths: list[str], columns: tuple[SourceColumn, ...], options: tuple[str, ...]
) -> str:
    """The reader puts ? for a byte that is not UTF-8, or leaves it out; only the difference of the
    two tells a text that had one."""
    marked = [
        f"case when a.{c.sql} = b.{c.sql} then a.{c.sql} "
        f"else a.{c.sql} || {literal(NOT_UTF8)} end as {c.sql}"
        for c in columns
        if c.type.id == "varchar"
    ]
    left = _parquet(paths, *options, "utf8_validation = 'replace'")
    right = _parquet(paths, *options, "utf8_validation = 'ignore'")
    return (
        f"select a.* replace ({', '.join(marked)}), a.file_row_number + 1 as __row "
        f"from {left} as a join {right} as b using (__file, file_row_number)"
    )


def _csv(shape: Shape, paths: list[str], mended: Mended | None) -> str:
    names = [f"c{number}" for number in range(len(shape.header.columns))]
    if mended is None:
        options = f"header = true, skip = {shape.header.blank_lines}"
        return _csv_query(paths, names, shape.header.delimiter, shape.is_gzip, options)
    return _csv_query([str(mended.path)], [*names, "broken"], ",", False, _of_mended(mended))


def _json(shape: Shape, paths: list[str], mended: Mended | None) -> str:
    if mended is None:
        compression = "gzip" if shape.is_gzip else "uncompressed"
        return (
            f"select json as line, __file from read_json_objects({_paths(paths)}, "
            f"format = 'newline_delimited', compression = '{compression}', filename = '__file', "
            "hive_partitioning = false)"
        )
    return _csv_query([str(mended.path)], ["line", "broken"], ",", False, _of_mended(mended))


def _of_mended(mended: Mended) -> str:
    longest = max(mended.longest_line + 1, 2_000_000)
    return f"header = false, new_line = '\\n', max_line_size = {longest}"


def _csv_query(
    paths: list[str], names: list[str], delimiter: str, is_gzip: bool, options: str
) -> str:
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    return (
        f"select * from read_csv({_paths(paths)}, auto_detect = false, columns = {{{columns}}}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
        f"nullstr = ['', {literal(CSV_NULL)}], "
        f"compression = '{'gzip' if is_gzip else 'none'}', filename = '__file', "
        f"hive_partitioning = false, {options})"
    )


def _json_relation(con: duckdb.DuckDBPyConnection, source: str, paths: list[str]) -> Staged:
    """JSON lines: which keys the objects of each file have decides as a CSV header would."""
    table = raw_tables()[RAW_TABLE[source]]
    declared = {column.name: column.data_type for column in table.file_columns}
    objects = f"select __file, line from {STAGE} where try(json_type(line)) = 'OBJECT'"
    keys = con.execute(
        f"select __file, list(key) from (select distinct __file, unnest(json_keys(line)) as key "
        f"from ({objects})) group by __file"
    ).fetchall()
    keys_of = dict(keys)
    staged = [file for (file,) in con.execute(f"select distinct __file from {STAGE}").fetchall()]
    spellings: dict[str, set[str]] = {}
    refused: dict[str, str] = {}
    left_out: set[str] = set()
    has_others = False
    for file in staged:
        found = keys_of.get(file, [])
        names = [(key, column_name(source, key)) for key in found]
        known = [(key, name) for key, name in names if name in declared]
        missing = [n for n in NEEDED_COLUMNS[source] if n not in {name for _, name in known}]
        if not found:
            refused[file] = _no_objects(con, file)
        elif missing:
            refused[file] = lacks("key", missing, sorted(found))
        elif twice := _said_twice(con, file, known):
            refused[file] = two_named(twice, "keys of one object")
        else:
            unused = [key for key, name in names if name not in declared]
            left_out |= {key for key in unused if is_left_out(source, column_name(source, key))}
            has_others = has_others or not left_out.issuperset(unused)
            for key, name in known:
                spellings.setdefault(name, set()).add(key)
    if not spellings:
        return Staged(None, refused, keys_of)
    rows = _numbered(len(paths) == 1)
    # a merge patch removes the keys that it gives as null
    claimed = {key for keys in spellings.values() for key in keys} | left_out
    others = f"json_merge_patch(document, {literal(json.dumps(dict.fromkeys(sorted(claimed))))})"
    relation = _objects_relation(rows, spellings, declared, others if has_others else None)
    return Staged(relation, refused, keys_of)


def _said_twice(
    con: duckdb.DuckDBPyConnection, file: str, known: Sequence[tuple[str, str]]
) -> str | None:
    """The declared name that an object of the file gives in two spellings, each with a value; from
    line to line a file may spell a name as it likes. Versions of one column are no spellings."""
    spellings: dict[str, list[str]] = {}
    for key, _ in known:
        spellings.setdefault(key.strip().lower(), []).append(key)
    for name, keys in spellings.items():
        if not keys[1:]:
            continue
        given = " + ".join(
            f"(coalesce(json_extract_string(document, {_pointer(key)}), '') <> '')::int"
            for key in keys
        )
        rows = con.execute(
            f"select 1 from (select {DOCUMENT} from {STAGE} where __file = ?) "
            f"where {given} > 1 limit 1",
            [file],
        ).fetchall()
        if rows:
            return name
    return None


def _pointer(key: str) -> str:
    return literal("/" + key.replace("~", "~0").replace("/", "~1"))


def _objects_relation(
    rows: str, spellings: dict[str, set[str]], declared: dict[str, str], others: str | None
) -> Relation:
    texts: list[str] = []
    documents: list[str] = []
    columns = []
    for name, keys in spellings.items():
        is_nested = duckdb.sqltype(declared[name]).id in ("struct", "list")
        paths, list_name = (documents, "documents") if is_nested else (texts, "texts")
        values = []
        for key in sorted(keys):
            paths.append(_pointer(key))
            value = f"{list_name}[{len(paths)}]"
            if is_nested:
                values.append(value)
            else:
                values.append(f"nullif({_whole_id(name, value, paths[-1])}, '')")
        sql = values[0]
        if values[1:]:
            filled = values if is_nested else [f"nullif({v}, {EMPTY_LIST})" for v in values]
            sql = f"coalesce({', '.join(filled)})"
        columns.append(SourceColumn(name, sql, JSON if is_nested else TEXT))
    read = [
        f"{function}(document, [{', '.join(paths)}]) as {list_name}"
        for function, paths, list_name in (
            ("json_extract_string", texts, "texts"),
            ("json_extract", documents, "documents"),
        )
        if paths
    ]
    sql = f"select *, {', '.join(read)} from (select *, {DOCUMENT} from ({rows}))"
    return Relation(
        sql,
        tuple(columns),
        others=others,
        broken="case when document is null then line end",
    )


def _whole_id(column: str, text: str, path: str) -> str:
    """The text of a column; an id that is a floating-point number loses its fraction of 0, as in
    Parquet. The ending is asked first, since a look for the type reads the object once more."""
    if not column.endswith("id"):
        return text
    return (
        f"case when ends_with({text}, '.0') and json_type(document, {path}) = 'DOUBLE' "
        f"then left({text}, -2) else {text} end"
    )


def _no_objects(con: duckdb.DuckDBPyConnection, file: str) -> str:
    (line,) = con.execute(f"select line from {STAGE} where __file = ? limit 1", [file]).fetchone()
    if line.lstrip().startswith("["):
        return "it holds a JSON array; write one object per line, without brackets and commas"
    return "no line of it holds a JSON object; write one object per line"
