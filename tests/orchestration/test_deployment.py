"""What deploy/ holds fits together; that a night runs on PostgreSQL is in test_runs.py."""

import shutil
import subprocess

import pytest
import yaml

from orchestration.settings import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"


def test_both_instances_differ_in_where_the_state_is_and_in_nothing_else():
    ours = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    theirs = yaml.safe_load((DEPLOY / "dagster" / "dagster.yaml").read_text(encoding="utf-8"))
    assert ours.pop("storage") != theirs.pop("storage")
    assert ours == theirs


def test_no_secret_is_in_the_deployment_files():
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, sign, value = line.strip().partition("=")
                assert not (sign and value and name in ("PGPASSWORD", "INTENT_MAP_HASH_KEY")), path


def test_the_image_holds_compiled_code_since_its_user_may_not_write_beside_it():
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in image
    assert "--no-compile" not in image
    assert "-m compileall -q orchestration" in image


def test_systemd_takes_the_units_and_the_web_page_is_for_this_machine_only(tmp_path):
    units = sorted((DEPLOY / "systemd").glob("*.service"))
    assert [unit.stem for unit in units] == [
        "intent-map-code",
        "intent-map-daemon",
        "intent-map-web",
    ]
    web = (DEPLOY / "systemd" / "intent-map-web.service").read_text(encoding="utf-8")
    assert " --host 127.0.0.1 " in web
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    # the programs are looked for where they would be installed
    for unit in units:
        text = unit.read_text(encoding="utf-8").replace("/opt/intent-map/.venv/bin/", "/bin/true ")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    said = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.glob("*.service"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
