"""dbt without any of the orchestration: the README's own command, on a home that holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from pipeline.homes import Workshop

from orchestration.dbt_runner import DbtError

ROOT = Path(__file__).resolve().parents[2]


def dbt(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("INTENT_MAP_")
    }
    return subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *(*args, "--project-dir", "dbt_project", "--profiles-dir", "."),
            *("--target-path", home / "target", "--log-path", home / "logs"),
            *("--no-use-colors", "--warn-error"),
        ],
        cwd=ROOT,
        env=environ | {"INTENT_MAP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_dbt_build_alone_passes_every_unit_test_and_data_test_on_an_empty_home(
    tmp_path: Path,
) -> None:
    (tmp_path / "warehouse").mkdir()
    run = dbt(tmp_path, "build")
    assert run.returncode == 0, run.stdout[-6000:]
    unit_tests = sum(
        path.read_text(encoding="utf-8").count("\n    model: ")
        for path in (ROOT / "dbt_project" / "models").rglob("*.yml")
    )
    assert unit_tests > 30
    assert f"{unit_tests} unit tests" in run.stdout


def test_where_rows_are_retired_no_model_that_keeps_what_they_said_is_built_anew(
    workshop: Workshop,
) -> None:
    home = workshop.home("retired")
    home.night(select=["+int_all_sessions", "+int_event_counts"])
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute(
            "insert into raw.removals values ('generic', 1, 1, 'retired', now()::timestamp)"
        )
    # the sessions too take what they show from raw
    for model in ("int_event_receipts", "int_all_sessions"):
        with pytest.raises(DbtError, match="raw rows are retired"):
            home.night(full_refresh=True, select=[model])
    home.night(full_refresh=True, select=["int_event_counts"])
