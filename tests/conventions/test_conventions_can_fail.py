"""Every convention check sees the fault it is there for, and leaves a good tree alone.

Belongs here: one small good tree, and for each check the changes that must be reported.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from reading import project_files
from test_conventions import CHECKS

# in pieces: whole, it would be the very thing that the checks look for
SOMEONE = "/" + "home/someone"
INDEX = "https:" + "//packages.example/simple"

GOOD = {
    "README.md": """
# Shop

Type `make demo`, or `intent-map demo --rows 5`. See [the methods](docs/methods.md#how-it-counts)
and `seeds/rules.csv`.

```
seeds/         what the business edits: rules.csv
dbt_project/   models/{staging,marts}
home/          your data
```
""",
    "docs/methods.md": "# Methods\n\n## How it counts\n\nBack to [the start](../README.md).\n",
    "docs/adr/0001-tools.md": "# Tools\n\nWe take duckdb and pytest.\n",
    "Makefile": "demo: ## show it\n\t@python -m orchestration demo\n",
    "constraints.txt": "duckdb==2.0.0\n",
    "pyproject.toml": (
        '[project]\nname = "shop"\ndependencies = ["duckdb==2.0.0"]\n'
        '[project.optional-dependencies]\ndev = ["pytest>=9"]\n'
    ),
    "orchestration/__init__.py": "",
    "orchestration/__main__.py": "",
    "orchestration/cli.py": (
        'from orchestration import __main__\nCOMMANDS = ["demo"]\nOPTIONS = ["--rows"]\n'
    ),
    "seeds/rules.csv": "rule,weight\na,1\n",
    "seeds/rules.yml": """
seeds:
  - name: rules
    description: One row per rule.
    columns:
      - {name: rule, description: Name.}
      - {name: weight, description: Share.}
""",
    "dbt_project/dbt_project.yml": """
name: shop
models:
  shop:
    marts:
      +contract: {enforced: true}
vars:
  timeout: 30
  policy:
    timeout: {minimum: 1, maximum: 60, reason: The field's convention.}
""",
    "dbt_project/models/staging/stg_web__events.sql": (
        "select {{ visitor('id') }} as visitor from {{ source('raw', 'events') }}\n"
    ),
    "dbt_project/models/staging/stg_web__events.yml": """
models:
  - name: stg_web__events
    description: One row per event.
""",
    "dbt_project/models/staging/stg_app__events.sql": (
        "with\n\nevents as (\n\n    select id from {{ source('raw', 'app') }}\n\n)\n\n"
        "select\n    -- a, b\n    coalesce(events.a, f(', b')) as visitor\n\nfrom events\n"
    ),
    "dbt_project/models/staging/stg_app__events.yml": """
models:
  - name: stg_app__events
    description: One row per event.
""",
    "dbt_project/models/marts/mart_days.sql": (
        "-- duckdb may be named in a comment\n"
        "select visitor from {{ ref('stg_web__events') }}\n"
        "inner join {{ ref('rules') }} on {{ var('timeout') }} > 1\n"
    ),
    "dbt_project/models/marts/mart_days.yml": """
models:
  - name: mart_days
    description: One row per day.
    data_tests:
      - is_unique_together:
          arguments: {columns: [visitor]}
    columns:
      - name: visitor
        data_type: varchar
        description: Browser.
        data_tests: [not_null]
""",
    "dbt_project/macros/expressions/visitor.sql": (
        "{% macro visitor(id) %}\n{# Null stays null. #}\n{{ text_of(id) }}\n{% endmacro %}\n"
    ),
    "dbt_project/macros/dialect/text.sql": (
        "{% macro text_of(id) %}{{ return(adapter.dispatch('text_of', 'shop')(id)) }}"
        "{% endmacro %}\n{% macro duckdb__text_of(id) %}list_first([{{ id }}]){% endmacro %}\n"
    ),
    "tests/dbt/singular/mart_days__has_rows.sql": "select 1 from {{ ref('mart_days') }}\n",
    "tests/dbt/macros/visitor__keeps_null.sql": "select {{ visitor('null') }}\n",
}

STAGING = "dbt_project/models/staging/stg_web__events"
MART = "dbt_project/models/marts/mart_days"
EXPRESSION = "dbt_project/macros/expressions/visitor.sql"
SETTINGS = "dbt_project/dbt_project.yml"

# check → (file, what stands there instead, words that the report must have); None takes it away
FAULTS = {
    "every_model_has_its_own_yaml_beside_it": [
        (f"{MART}.yml", None, "mart_days.yml is missing"),
        (f"{STAGING}.yml", "models: [{name: other}]", "describes ['other']"),
        ("dbt_project/models/marts/mart_gone.yml", "models: [{name: mart_gone}]", "mart_gone"),
    ],
    "every_model_description_starts_with_its_grain": [
        (f"{STAGING}.yml", "models: [{name: stg_web__events, description: Events.}]", "grain"),
        (f"{STAGING}.yml", "models: [{name: stg_web__events}]", "grain"),
    ],
    "every_public_column_is_described": [
        (f"{MART}.yml", ("description: Browser.", "description: ''"), "visitor has no descr"),
        (f"{MART}.yml", ("data_type: varchar", "quote: false"), "visitor has no data_type"),
        (f"{MART}.yml", "models: [{name: mart_days}]", "lists no columns"),
    ],
    "every_public_model_has_an_enforced_contract": [
        (SETTINGS, ("enforced: true", "enforced: false"), "contract is not enforced"),
        (SETTINGS, ("+contract", "+docs"), "contract is not enforced"),
        (
            f"{MART}.yml",
            ("One row per day.", "One row per day.\n    config: {contract: {enforced: false}}"),
            "contract is not enforced",
        ),
    ],
    "every_model_has_the_prefix_of_its_folder": [
        ("dbt_project/models/marts/val_days.sql", "select 1", "should start with mart_"),
        ("dbt_project/models/cellar/mart_days.sql", "select 1", "cellar is no floor"),
        ("dbt_project/models/staging/stg_events.sql", "select 1", "stg_<source>__<what>"),
    ],
    "no_yaml_key_is_of_the_old_style": [
        (f"{MART}.yml", ("    data_tests:\n      - is", "    tests:\n      - is"), "has tests"),
        (f"{MART}.yml", ("data_tests: [not_null]", "tests: [not_null]"), "visitor has tests"),
        (f"{MART}.yml", ("arguments: {columns: [visitor]}", "columns: [visitor]"), "columns sh"),
        (f"{STAGING}.yml", ("One row per event.", "One row.\n    meta: {a: 1}"), "has meta"),
        (f"{STAGING}.yml", ("One row per event.", "One row.\n    tags: [a]"), "has tags"),
        ("dbt_project/models/staging/sources.yml", "sources: [{name: a, tags: [b]}]", "has tags"),
        (SETTINGS, ("name: shop", "name: shop\ntests: {}"), "tests is an old key"),
    ],
    "every_seed_has_its_own_yaml": [
        ("seeds/more.csv", "a\n1\n", "more.yml should describe it"),
        ("seeds/rules.csv", "rule,share\na,1\n", "the file has ['rule', 'share']"),
        ("seeds/rules.yml", ("One row per rule.", "Rules."), "One row per"),
        ("seeds/gone.yml", "seeds: [{name: gone}]", "gone.csv is missing"),
    ],
    "no_line_of_prose_in_yaml_is_long": [
        (f"{STAGING}.yml", ("One row per event.", "One row per event " + "x" * 90), ":4: "),
    ],
    "no_model_reads_from_a_higher_floor": [
        (f"{STAGING}.sql", "select 1 from {{ ref('mart_days') }}", "higher floor marts"),
        (f"{STAGING}.sql", "select 1 from {{ ref('mart_' ~ name) }}", "higher floor marts"),
        (f"{STAGING}.sql", "select 1 from {{ ref('rules') }}", "reads the seed rules"),
        (f"{MART}.sql", "select 1 from {{ ref('stg_gone') }}", "no model and no seed"),
        (f"{MART}.sql", "select 1 from {{ source('raw', 'events') }}", "reads a source"),
    ],
    "every_staging_model_of_events_ends_in_the_same_columns_in_the_same_order": [
        (f"{STAGING}.sql", "select a as visitor, events.b\n\nfrom events", "column 2 is b"),
        (f"{STAGING}.sql", "select f(a, visitor) as a\n\nfrom events", "column 1 is a, in stg_app"),
        (
            "dbt_project/models/staging/stg_app__events.sql",
            ("as visitor\n", "as visitor,\n    {{ b('c') }} as d\n"),
            "stg_web__events.sql: column 2 is missing, in stg_app__events d",
        ),
    ],
    "no_engine_is_named_outside_the_dialect_folder": [
        (f"{MART}.sql", "{% if target.type == 'x' %} select 1 {% endif %}", ":1: target.type"),
        (f"{MART}.sql", "select\n1 as duckdb_rows", ":2: duckdb_rows"),
        (EXPRESSION, "{% macro spark__visitor() %}{% endmacro %}", "spark__visitor"),
        (EXPRESSION, "{{ adapter.dispatch('visitor')() }}", "adapter.dispatch"),
        ("tests/dbt/singular/mart_days__x.sql", "select 'Snowflake'", "Snowflake"),
    ],
    "no_function_of_one_engine_is_used_outside_the_dialect_folder": [
        (f"{MART}.sql", "select\nlist_filter(x)", ":2: list_filter()"),
        (f"{MART}.sql", "select struct_pack(a := 1)", "struct_pack()"),
        (f"{MART}.sql", "select epoch_ms(x), md5_number(x)", "md5_number()"),
        (f"{MART}.sql", "select unnest(x), arg_min(a, b)", "arg_min()"),
        (f"{MART}.sql", "select a::int", "::"),
        (f"{MART}.sql", "select f(x, lambda a: a)", "lambda"),
        (f"{MART}.sql", "select distinct on (a) a", "distinct on"),
        (f"{MART}.sql", "select * exclude (a) from b", "select * exclude"),
        (f"{MART}.sql", "select a from b qualify c = 1", "qualify"),
        (EXPRESSION, "{% macro visitor(id) %}hash({{ id }}){% endmacro %}", "hash()"),
    ],
    "no_macro_hides_a_query": [
        (EXPRESSION, "{% macro visitor() %}select 1 from {{ ref('a') }}{% endmacro %}", "reads"),
        (EXPRESSION, "{% macro visitor() %}with a as (select 1) select 2{% endmacro %}", "query"),
        (EXPRESSION, "{% macro visitor() %}), b as (select 1{% endmacro %}", "is a query"),
        (EXPRESSION, "{% macro visitor() %}{{ run_query('x') }}{% endmacro %}", "reads a table"),
        ("dbt_project/macros/loose.sql", "{% macro loose() %}{% endmacro %}", "is not one of"),
    ],
    "every_expression_macro_has_its_own_file_and_says_what_it_answers": [
        (EXPRESSION, ("macro visitor", "macro other"), "holds ['other']"),
        (EXPRESSION, ("{# Null stays null. #}", ""), "a comment should say"),
    ],
    "every_macro_is_used": [
        ("dbt_project/macros/hooks/later.sql", "{% macro later() %}{% endmacro %}", "later is us"),
    ],
    "every_dbt_test_is_named_after_what_it_tests": [
        ("tests/dbt/singular/check_values.sql", "select 1", "<model>__<what_is_true>"),
        ("tests/dbt/macros/visiter__keeps_null.sql", "select 1", "<macro>__<what_is_true>"),
    ],
    "every_make_target_in_the_pages_exists": [
        ("README.md", ("make demo", "make damo"), "make damo"),
        ("docs/methods.md", "```\nmake demo\nHOME=x make gone AS_OF=1\n```\n", "make gone"),
    ],
    "every_intent_map_command_in_the_pages_exists": [
        ("README.md", ("intent-map demo", "intent-map dance"), "knows no dance"),
        ("README.md", ("--rows", "--columns"), "knows no --columns"),
        ("Makefile", "demo:\n\t@python -m orchestration later\n", "knows no later"),
    ],
    "every_path_in_a_tree_exists": [
        ("README.md", ("seeds/  ", "sads/  "), "sads/"),
        ("README.md", ("edits: rules.csv", "edits: ruling.csv"), "ruling.csv"),
        ("README.md", ("{staging,marts}", "{staging,cellar}"), "models/cellar"),
        ("docs/methods.md", "```\nshop/\n├── docs/\n```\n", "shop/"),
        ("docs/methods.md", "```\ndocs/\n├── adr/\n│   └── 0002.md\n```\n", "0002.md"),
    ],
    "every_path_in_the_prose_exists": [
        ("README.md", ("`seeds/rules.csv`", "`seeds/ruling.csv`"), "seeds/ruling.csv"),
        ("docs/methods.md", "In `dbt_project/macros/{dialect,speech}/`.", "macros/speech"),
    ],
    "every_link_in_the_pages_leads_somewhere": [
        ("README.md", ("docs/methods.md#", "docs/method.md#"), "leads to no file"),
        ("README.md", ("#how-it-counts", "#how-it-sums"), "leads to no heading"),
    ],
    "no_module_needs_itself": [
        ("orchestration/__main__.py", "import orchestration.cli", "orchestration/cli.py"),
        (
            "orchestration/__main__.py",
            "def run():\n    from orchestration.cli import main\n",
            "orchestration/__main__.py < orchestration/cli.py < orchestration/__main__.py",
        ),
    ],
    "no_file_is_larger_than_one_mebibyte": [
        ("docs/large.bin", "x" * (1024 * 1024 + 1), "docs/large.bin"),
    ],
    "no_path_of_a_machine_is_written_down": [
        ("docs/methods.md", f"Open {SOMEONE}/shop.", ":1: "),
        ("orchestration/cli.py", f"HOME = '{SOMEONE}/shop'", "a path of one machine"),
        ("docs/methods.md", "Open C:\\" + "Users\\me", "a path of one machine"),
    ],
    "no_package_index_is_written_down": [
        ("constraints.txt", "duckdb @ https:" + "//files.example/duckdb.whl", "https"),
        ("pyproject.toml", f'[tool.x]\nindex = "{INDEX}"\n[project]\nname = "x"', INDEX),
        ("Makefile", "x:\n\tpip --index-" + "url https:" + "//packages.example", "index-url"),
    ],
    "every_policy_number_has_a_range_and_a_reason_and_is_used": [
        (SETTINGS, ("timeout: 30", "timeout: 90"), "outside its range"),
        (SETTINGS, ("minimum: 1, maximum: 60, ", ""), "or it has none"),
        (SETTINGS, (", reason: The field's convention.", ""), "has no reason"),
        (SETTINGS, ("timeout: 30", "timeout: 30\n  limit: 5"), "limit is a number without"),
        (SETTINGS, ("timeout: 30", "timeout: 30\n  name: x"), "var name is not used"),
        (SETTINGS, ("  timeout: 30\n", ""), "policy timeout is for no var"),
    ],
    "every_dependency_is_chosen_in_a_decision": [
        ("docs/adr/0001-tools.md", "We take pytest-cov and duckdb.", "pytest is chosen in no"),
        ("docs/adr/0001-tools.md", None, "duckdb is chosen in no"),
    ],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in GOOD.items():
        write(tmp_path / name, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_check_is_shown_to_fail():
    assert set(FAULTS) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_good_tree_has_no_fault(tree, name):
    assert CHECKS[name](tree) == []


@pytest.mark.parametrize(
    ("name", "file", "change", "words"),
    [(name, *fault) for name, faults in FAULTS.items() for fault in faults],
)
def test_the_fault_is_reported(tree, name, file, change, words):
    path = tree / file
    if change is None:
        path.unlink()
    elif isinstance(change, tuple):
        before = path.read_text(encoding="utf-8")
        assert change[0] in before
        write(path, before.replace(*change, 1))
    else:
        write(path, change)
    faults = CHECKS[name](tree)
    assert any(words in fault for fault in faults), faults


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_file_is_the_projects_unless_git_ignores_it(tree):
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    write(tree / ".gitignore", "/mine/\n")
    write(tree / "mine" / "notes.txt", "ignored")
    names = {path.relative_to(tree).as_posix() for path in project_files(tree)}
    assert names == {*GOOD, ".gitignore"}
