"""docs/adding_a_source.md, followed to the letter in a copy of the project.

The quick test lands the example and asks the staging model of the page; the deep one runs dbt up to
`int_events`.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import PROJECT_ROOT

GUIDE = PROJECT_ROOT / "docs" / "adding_a_source.md"
COPIED = ("dbt_project", "orchestration", "seeds", "tests/dbt", "profiles.yml")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)

LANDING = """
import json, sys
from pathlib import Path
import duckdb, jinja2
from orchestration.landing import land
from orchestration.settings import PROJECT_ROOT, Settings

settings = Settings(Path(sys.argv[1]), PROJECT_ROOT / "seeds")
land(settings, report=lambda _: None)
project = PROJECT_ROOT / "dbt_project"
macro = (project / "macros/expressions/unreadable_as.sql").read_text(encoding="utf-8")
model = (project / "models/staging/stg_kiosk__events.sql").read_text(encoding="utf-8")
names = {
    "config": lambda **_: "",
    "var": lambda _: ["kiosk"],
    "source": lambda s, t: f"{s}.{t}",
    "internal_key": lambda columns: f"hash({', '.join(columns)})",
}
staged = jinja2.Environment().from_string(macro + model).render(names)
rows = duckdb.connect(str(settings.warehouse)).sql(staged)
print(json.dumps([rows.columns, rows.fetchall()], default=str))
"""
BUILDING = """
import json, sys
from pathlib import Path
import duckdb
from orchestration import dbt_runner
from orchestration.landing import land
from orchestration.settings import PROJECT_ROOT, Settings

variables = {"reporting_currency": "EUR", "event_sources": ["generic", "kiosk"]}
settings = Settings(Path(sys.argv[1]), PROJECT_ROOT / "seeds", dbt_vars=variables)
land(settings, report=lambda _: None)
args = dbt_runner.nightly_args(settings, ["+int_events", "int_events_rejected"])
for _ in dbt_runner.run_dbt(settings, [*args, "--exclude-resource-type", "test"]):
    pass
rows = duckdb.connect(str(settings.warehouse)).sql(
    f"from ({sys.argv[2]}) union all "
    "select file_name, reason, row_number from intermediate.int_events_rejected union all "
    "select 'view', table_name, null from information_schema.tables "
    "where table_schema = 'staging' and table_name like '%__events'"
)
print(json.dumps([rows.columns, rows.fetchall()], default=str))
"""
ERASING = """
import json, shutil, sys
from pathlib import Path
import duckdb
from orchestration.erasure import erase_users
from orchestration.settings import PROJECT_ROOT, Settings

home = Path(sys.argv[1]).with_name("home to erase from")
shutil.copytree(Path(sys.argv[1]) / "landing", home / "landing")
settings = Settings(home, PROJECT_ROOT / "seeds")
erase_users(settings, Path(sys.argv[2]), report=lambda _: None)
rows = duckdb.connect(str(settings.warehouse)).sql(
    "select terminal from raw.kiosk_events union all select content "
    f"from read_text('{home}/landing/kiosk/screens.csv')"
)
print(json.dumps([rows.columns, rows.fetchall()]))
"""


class Page:
    """The page's code blocks, in their order and by their language."""

    def __init__(self) -> None:
        self.blocks = FENCE.findall(GUIDE.read_text(encoding="utf-8"))

    def block(self, language: str, number: int = 0) -> str:
        return [text for kind, text in self.blocks if kind == language][number]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project after all that the page says, with the example's file in its home."""
    copy = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source, target = PROJECT_ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("target", "__pycache__"))
        else:
            shutil.copy(source, target)
    page = Page()
    staging = copy / "dbt_project" / "models" / "staging"
    append(staging / "sources.yml", page.block("yaml", 0))
    put_before(copy / "orchestration" / "sources.py", '    "ad_spend": ', page.block("python"))
    (staging / "stg_kiosk__events.sql").write_text(page.block("sql", 0), encoding="utf-8")
    (staging / "stg_kiosk__events.yml").write_text(page.block("yaml", 1), encoding="utf-8")
    append(copy / "seeds" / "event_dictionary.csv", page.block("csv", 1))
    for number in (2, 3):
        replace_line(copy / "dbt_project" / "dbt_project.yml", page.block("yaml", number))
    folder = copy / "home" / "landing" / "kiosk"
    folder.mkdir(parents=True)
    (folder / "screens.csv").write_text(page.block("csv", 0), encoding="utf-8")
    return copy


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def put_before(file: Path, line: str, text: str) -> None:
    before = file.read_text(encoding="utf-8")
    assert before.count(line) == 1
    file.write_text(before.replace(line, text + line), encoding="utf-8")


def replace_line(file: Path, line: str) -> None:
    """Put the line in the place of the one with the same key and the same indentation."""
    key, before = line.split(":")[0], file.read_text(encoding="utf-8")
    assert len(re.findall(rf"^{key}: .*\n", before, re.MULTILINE)) == 1
    file.write_text(re.sub(rf"^{key}: .*\n", line, before, flags=re.MULTILINE), encoding="utf-8")


def run(project: Path, program: str, *arguments: str) -> list[dict[str, Any]]:
    """Rows that a program prints which runs in the copy, and imports the copy."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(project / "home"), *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    names, rows = json.loads(done.stdout.splitlines()[-1])
    return [dict(zip(names, row, strict=True)) for row in rows]


def canonical_columns() -> list[str]:
    """The names in stg_generic__events.yml, in their order."""
    file = PROJECT_ROOT / "dbt_project" / "models" / "staging" / "stg_generic__events.yml"
    return re.findall(r"^ {6}- \{name: (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_lands_and_stages_its_own_example(project: Path) -> None:
    rows = run(project, LANDING)
    assert list(rows[0]) == canonical_columns()
    assert [
        (row["visitor_id"], row["source_event_name"], row["value"], row["unreadable"])
        for row in rows
    ] == [
        ("T-1", "touched", None, None),
        ("T-1", "product_opened", None, None),
        ("T-1", "paid", "19.9000", None),
        ("T-1", "paid", None, '{"value":"a lot"}'),
    ]
    assert json.loads(rows[1]["properties"]) == {"sku": "P7", "shop": "Graz"}
    assert len({row["event_id"] for row in rows}) == 4


def test_people_can_be_erased_from_the_source_of_the_page(project: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("T-1\n", encoding="utf-8")
    left = Page().block("csv", 0).splitlines(keepends=True)[0]
    assert run(project, ERASING, str(ids)) == [{"terminal": left}]


@pytest.mark.deep
def test_the_page_brings_its_example_into_the_events(project: Path) -> None:
    query = Page().block("sql", 1)
    assert [tuple(row.values()) for row in run(project, BUILDING, query)] == [
        ("page_view", "touched", None),
        ("view_item", "product_opened", None),
        ("purchase", "paid", "19.9000"),
        ("screens.csv", "unreadable_value", "4.0000"),
        # a source that the var does not name has no model
        ("view", "stg_generic__events", None),
        ("view", "stg_kiosk__events", None),
    ]
