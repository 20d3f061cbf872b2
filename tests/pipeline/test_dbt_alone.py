"""dbt without any of the orchestration: the README's own command, on a home that holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

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
