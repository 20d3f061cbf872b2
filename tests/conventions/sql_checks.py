"""Checks of what stands inside the SQL: floors, engines, macros.

Belongs here: functions from the project's root to a list of faults, each a sentence that names the
file. The name of a function is the convention it checks.
Does not belong here: how SQL is laid out (.sqlfluff).
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from reading import (
    FLOORS,
    code,
    data_test_files,
    line_of,
    macro_files,
    models,
    place,
    property_files,
    seeds,
)

REF = re.compile(r"\bref\(\s*['\"]([^'\"]*)['\"]\s*([,)~]?)")
READ = re.compile(r"\b(?:ref|source)\(|\brun_query\(|\{%-?\s*call\s+statement")
MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(")
STEP = re.compile(r"\bwith\s+(?:recursive\s+)?\w+\s+as\s*\(|\)\s*,\s*\w+\s+as\s*\(", re.IGNORECASE)
SELECT = re.compile(r"\bselect\b", re.IGNORECASE)

TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
JINJA = re.compile(r"\{\{.*?\}\}", re.DOTALL)

ENGINE = re.compile(
    r"\b(duckdb|motherduck|spark|databricks|snowflake|bigquery|postgres|postgresql|redshift|trino"
    r"|clickhouse)(?:_\w+)?\b|\btarget\s*\.\s*type\b|\badapter\s*\.\s*(?:dispatch|type)\b",
    re.IGNORECASE,
)

# functions that not every engine has, or that answer by chance or otherwise on another one; what
# DuckDB and Spark SQL share with one meaning (min_by, try_cast, bool_or) is free
ENGINE_FUNCTIONS = re.compile(
    r"(?<![.\w])("
    r"list|list_\w+|array_\w+|array_agg|string_agg|listagg|group_concat|collect_\w+"
    r"|flatten|unnest|explode|posexplode|generate_series|range|sequence"
    r"|struct_\w+|row_to_json|map_\w+|named_struct"
    r"|to_json|from_json|json_\w+|get_json_object|parse_json"
    r"|regexp_\w+|regexp|rlike"
    r"|hash|md5_number\w*|xxhash\w*|sha256|gen_random_uuid|uuid"
    r"|epoch\w*|make_timestamp\w*|make_date|to_timestamp\w*|from_unixtime|unix_\w+|timestamp_\w+"
    r"|strptime|strftime|date_format|date_diff|datediff|date_sub|date_add|dateadd|date_part"
    r"|datepart|timezone|from_utc_timestamp|to_utc_timestamp|today|getdate"
    r"|safe_cast|try_to_\w+"
    r"|arg_min|arg_max|argmin|argmax|first|last|any_value|mode"
    r"|quantile\w*|approx_\w+|percentile|percentile_approx"
    r"|logical_or|logical_and|countif|sumif"
    r"|read_\w+|parquet_scan|sqlite_scan|iff|ifnull|nvl|isnull"
    r")\s*\(",
    re.IGNORECASE,
)
ENGINE_SYNTAX = {
    "::": re.compile(r"[\w)'\"]::\w"),
    "lambda": re.compile(r"\blambda\s+\w+\s*(?:,\s*\w+\s*)*:|\b\w+\s->\s"),
    "qualify": re.compile(r"(?<!['\"])\bqualify\b(?!['\"])", re.IGNORECASE),
    "asof join": re.compile(r"\basof\s+(?:left\s+)?join\b", re.IGNORECASE),
    "distinct on": re.compile(r"\bdistinct\s+on\b", re.IGNORECASE),
    "select * exclude": re.compile(r"\*\s*(?:exclude|except|replace|rename)\s*\(", re.IGNORECASE),
    "group by all": re.compile(r"\b(?:group|order)\s+by\s+all\b", re.IGNORECASE),
    "at time zone": re.compile(r"\bat\s+time\s+zone\b", re.IGNORECASE),
}


def no_model_reads_from_a_higher_floor(root: Path) -> list[str]:
    heights = {floor: height for height, floor in enumerate(FLOORS)}
    seed_names = {seed.stem for seed in seeds(root)}
    model_names = {model.name for model in models(root)}
    faults = []
    for model in models(root):
        if model.floor not in heights:
            continue
        for name, following in REF.findall(model.code):
            floor = _floor_of(name)
            if name in seed_names:
                if model.floor == "staging":
                    faults.append(f"{model.place}: reads the seed {name}; staging only renames")
            elif following != "~" and name not in model_names:
                faults.append(f"{model.place}: reads {name}, which is no model and no seed")
            elif floor is not None and heights[floor] > heights[model.floor]:
                faults.append(f"{model.place}: reads {name} from the higher floor {floor}")
        if model.floor != "staging" and re.search(r"\bsource\(\s*['\"]", model.code):
            faults.append(f"{model.place}: reads a source; only staging does")
    return faults


def every_staging_model_of_events_ends_in_the_same_columns_in_the_same_order(
    root: Path,
) -> list[str]:
    """int_staged_events stacks them by place."""
    faults = []
    first = None
    for model in models(root):
        if model.floor != "staging" or not model.name.endswith("__events"):
            continue
        columns = _columns_of_last_select(model.code)
        if first is None:
            first = model.name, columns
        for place_of, (column, wanted) in enumerate(
            itertools.zip_longest(columns, first[1]), start=1
        ):
            if column != wanted:
                faults.append(
                    f"{model.place}: column {place_of} is {column or 'missing'}, "
                    f"in {first[0]} {wanted or 'there is none'}"
                )
                break
    return faults


def no_engine_is_named_outside_the_dialect_folder(root: Path) -> list[str]:
    return [
        f"{place(root, path)}:{line_of(text, match.start())}: {match.group()}; what differs between"
        " engines belongs in macros/dialect/"
        for path, text in _outside_dialect(root)
        for match in ENGINE.finditer(text)
    ]


def no_function_of_one_engine_is_used_outside_the_dialect_folder(root: Path) -> list[str]:
    own = {name for path in macro_files(root) for name in MACRO.findall(code(path))}
    faults = []
    for path, text in _outside_dialect(root):
        if path.suffix == ".py":
            continue
        where = place(root, path)
        for match in ENGINE_FUNCTIONS.finditer(text):
            if match.group(1) not in own:
                faults.append(
                    f"{where}:{line_of(text, match.start())}: {match.group(1)}() is not on every"
                    " engine; put it behind a macro in macros/dialect/"
                )
        for name, pattern in ENGINE_SYNTAX.items():
            for match in pattern.finditer(text):
                faults.append(
                    f"{where}:{line_of(text, match.start())}: {name} is not on every engine"
                )
    return faults


def no_macro_hides_a_query(root: Path) -> list[str]:
    """A macro is one expression: at most one scalar subquery or table expression, no step of its
    own and no table of its own. Hooks and overrides run statements, since dbt asks them to, and so
    does what differs of them between engines, in dialect/statements."""
    faults = []
    for path in macro_files(root, "expressions", "dialect"):
        if path.parent.name == "statements":
            continue
        where = place(root, path)
        for name, text in _macros(path):
            if READ.search(text):
                faults.append(f"{where}: {name} reads a table; give it the columns instead")
            elif STEP.search(text) or len(SELECT.findall(text)) > 1:
                faults.append(f"{where}: {name} is a query; steps belong in a model")
    known = {"expressions", "dialect", "hooks", "overrides"}
    base = root / "dbt_project" / "macros"
    for path in macro_files(root):
        folder = path.relative_to(base).parts[0]
        if folder not in known:
            faults.append(f"{place(root, path)}: {folder} is not one of {', '.join(sorted(known))}")
    return faults


def every_expression_macro_has_its_own_file_and_says_what_it_answers(root: Path) -> list[str]:
    faults = []
    for path in macro_files(root, "expressions"):
        where = place(root, path)
        names = MACRO.findall(path.read_text(encoding="utf-8"))
        if names != [path.stem]:
            faults.append(f"{where}: holds {names}, should hold the one macro {path.stem}")
        if "{#" not in path.read_text(encoding="utf-8"):
            faults.append(f"{where}: a comment should say what it answers and settle the boundary")
    return faults


def every_macro_is_used(root: Path) -> list[str]:
    users = [*data_test_files(root), *macro_files(root), *(model.path for model in models(root))]
    calls = "\n".join(code(path) for path in users)
    settings = root / "dbt_project" / "dbt_project.yml"
    if settings.exists():
        calls += settings.read_text(encoding="utf-8")
    # in YAML only what is rendered: descriptions may name a macro
    for path in property_files(root):
        calls += "\n".join(JINJA.findall(path.read_text(encoding="utf-8")))
    faults = []
    for path in macro_files(root, "expressions", "dialect", "hooks"):
        for name in MACRO.findall(code(path)):
            # <engine>__<name> is found by dispatch
            called = len(re.findall(rf"\b{name}\(", calls)) > len(
                re.findall(rf"macro\s+{name}\s*\(", calls)
            )
            if not called and "__" not in name:
                faults.append(f"{place(root, path)}: {name} is used nowhere")
    return faults


def every_dbt_test_is_named_after_what_it_tests(root: Path) -> list[str]:
    macros = {name for path in macro_files(root) for name in MACRO.findall(code(path))}
    nodes = {model.name for model in models(root)} | {seed.stem for seed in seeds(root)}
    faults = []
    for folder, things, kind in (("macros", macros, "macro"), ("singular", nodes, "model")):
        for path in sorted((root / "tests" / "dbt" / folder).glob("*.sql")):
            subject, _, sentence = path.stem.partition("__")
            # stg_<source>__<what> has the separator in its own name
            while subject not in things and "__" in sentence:
                more, _, sentence = sentence.partition("__")
                subject = f"{subject}__{more}"
            if subject not in things or not sentence:
                faults.append(f"{place(root, path)}: should be <{kind}>__<what_is_true>.sql")
    return faults


def _floor_of(name: str) -> str | None:
    return next((floor for floor, prefix in FLOORS.items() if name.startswith(prefix)), None)


def _columns_of_last_select(sql: str) -> list[str]:
    """Names of the columns of the last select that begins a line."""
    sql = JINJA.sub("x", TEXT.sub("x", sql))
    columns = re.split(r"^select\b", sql, flags=re.MULTILINE)[-1]
    inner = 1
    while inner:
        columns, inner = re.subn(r"\([^()]*\)", "", columns)
    columns = re.split(r"\bfrom\b", columns)[0]
    return [re.split(r"[\s.]+", column.strip())[-1] for column in columns.split(",")]


def _outside_dialect(root: Path) -> Iterator[tuple[Path, str]]:
    """Models, data tests and all macros but the dialect's, without comments."""
    for model in models(root):
        yield model.path, model.code
    dialect = root / "dbt_project" / "macros" / "dialect"
    for path in [*macro_files(root), *data_test_files(root)]:
        if dialect not in path.parents:
            yield path, code(path)


def _macros(path: Path) -> Iterator[tuple[str, str]]:
    """Name and body of each macro of the file, without comments."""
    text = code(path)
    starts = list(MACRO.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for match, end in zip(starts, ends, strict=True):
        yield match.group(1), text[match.end() : end]
