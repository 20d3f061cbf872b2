"""dbt without any of the orchestration: the README's own command, on a home that holds nothing."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_dbt_build_alone_passes_every_unit_test_and_data_test_on_an_empty_home(
    tmp_path: Path,
) -> None:
    (tmp_path / "warehouse").mkdir()
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("INTENT_MAP_")
    }
    run = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("build", "--project-dir", "dbt_project", "--profiles-dir", "."),
            *("--target-path", tmp_path / "target", "--log-path", tmp_path / "logs"),
            *("--no-use-colors", "--warn-error"),
        ],
        cwd=ROOT,
        env=environ | {"INTENT_MAP_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:]
    unit_tests = sum(
        path.read_text(encoding="utf-8").count("\n    model: ")
        for path in (ROOT / "dbt_project" / "models").rglob("*.yml")
    )
    assert unit_tests > 30
    assert f"{unit_tests} unit tests" in run.stdout


@pytest.mark.parametrize(
    ("folder", "line_ends"),
    [("it's mine [1]*?", ("\n", "\r\n")), ("mine", ("\r\n", "\n"))],
)
def test_business_files_are_loaded_as_they_stand(
    tmp_path: Path, folder: str, line_ends: tuple[str, str]
) -> None:
    """Lines that another program added, and texts that look like another kind of CSV."""
    (tmp_path / "warehouse").mkdir()
    seeds = tmp_path / folder
    shutil.copytree(ROOT / "seeds", seeds, ignore=shutil.ignore_patterns("*.yml"))
    texts = [
        "'quoted'",
        "it's",
        'he said "hi"',
        "a;b;c",
        "back\\slash",
        "''",
        "{{ 1 }}",
        "#x",
        "\\N",
    ]
    with (seeds / "campaign_settings.csv").open("w", encoding="utf-8-sig", newline="") as file:
        first, *others = [
            ["campaign", "bids_on", "target_roas"],
            *([t, "micro", ""] for t in texts),
        ]
        csv.writer(file, lineterminator=line_ends[0]).writerow(first)
        csv.writer(file, lineterminator=line_ends[1]).writerows(others)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("seed", "--project-dir", "dbt_project", "--profiles-dir", "."),
            *("--target-path", tmp_path / "target", "--log-path", tmp_path / "logs"),
            *("--no-use-colors", "--select", "campaign_settings"),
        ],
        cwd=ROOT,
        env=os.environ | {"INTENT_MAP_HOME": str(tmp_path), "INTENT_MAP_SEEDS": str(seeds)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    with duckdb.connect(str(tmp_path / "warehouse" / "intent_map.duckdb")) as con:
        found = con.execute(
            "select database_name, schema_name from duckdb_tables() "
            "where table_name = 'campaign_settings'"
        ).fetchall()
        ((database, schema),) = found
        loaded = con.execute(
            f"select campaign from {database}.{schema}.campaign_settings"
        ).fetchall()
    assert [text for (text,) in loaded] == texts
