"""dbt without any of the orchestration: the README's own command, on a home that holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

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
