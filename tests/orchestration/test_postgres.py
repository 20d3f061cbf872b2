"""Dagster with its state in PostgreSQL, as deploy/ sets it up, with a real server."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from dagster import DagsterRunStatus

from orchestration.defs import landing, steps
from orchestration.landing import LandingResult, SourceLanding
from orchestration.runs import dagster_instance, run_nightly
from orchestration.settings import PROJECT_ROOT

pytest_plugins = ["stub_project"]

DEPLOY = PROJECT_ROOT / "deploy"
# PostgreSQL refuses to run as root
SERVER_USER = "postgres"
PASSWORD = "it's a secret"


def program(name: str) -> str | None:
    """A program of PostgreSQL; Debian keeps them out of the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A fresh PostgreSQL on a free port; yields the variables that lead to it."""
    pytest.importorskip("dagster_postgres", reason="the extra postgres is not installed")
    if program("initdb") is None or program("postgres") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    as_user: dict[str, str | int] = {}
    folder = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:
        as_user = {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []}
        shutil.chown(folder, SERVER_USER)
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(parent.stat().st_mode | 0o011)
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    subprocess.run(
        [
            *(program("initdb"), "-D", data, "-U", "intent_map", "-A", "scram-sha-256"),
            *("--no-sync", "--pwfile", password),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    variables = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "intent_map",
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": "postgres",
    }
    try:
        _wait_for(variables)
        yield variables
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(variables: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            query("select 1", variables)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def query(sql: str, variables: dict[str, str]) -> list[tuple]:
    import psycopg2

    with contextlib.closing(
        psycopg2.connect(
            host=variables["PGHOST"],
            port=variables["PGPORT"],
            user=variables["PGUSER"],
            password=variables["PGPASSWORD"],
            dbname=variables["PGDATABASE"],
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()


def test_a_night_runs_with_its_state_in_postgresql(server, project, monkeypatch):
    def land(settings, source=None, report=print):
        settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(settings.warehouse)) as con:
            con.execute("create schema if not exists raw")
            con.execute("create table raw.generic_events as select 'v1' as visitor_id")
        outcome = SourceLanding("generic", landed=["a.csv"], rows=1)
        return LandingResult(sources=dict.fromkeys(landing.SOURCES, outcome))

    monkeypatch.setattr(landing, "land", land)
    monkeypatch.setattr(landing, "check_rules", lambda *_: None)
    monkeypatch.setattr(steps, "FIRST_PAUSE_SECONDS", 0)
    settings = project.settings()
    monkeypatch.setenv("DAGSTER_HOME", str(DEPLOY / "dagster"))
    monkeypatch.setenv("INTENT_MAP_HOME", str(settings.home))
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    before = sorted(DEPLOY.rglob("*"))
    run_nightly(settings, report=lambda _: None)

    runs = query("select status, pipeline_name, run_id from runs", server)
    assert [run[:2] for run in runs] == [("SUCCESS", "nightly_refresh")]
    steps_ended = query(
        "select step_key from event_logs where dagster_event_type = 'STEP_SUCCESS' order by id",
        server,
    )
    assert steps_ended == [("landing",), ("nightly_models",), ("published_marts",)]
    with dagster_instance(settings) as instance:
        assert instance.get_run_by_id(runs[0][2]).status == DagsterRunStatus.SUCCESS
    # no second state beside it, and nothing is written where the program lies
    assert not (settings.dagster_home / "history").exists()
    assert sorted(DEPLOY.rglob("*")) == before
    with duckdb.connect(str(settings.serving / "intent_map.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from marts.mart_sessions").fetchall() == [(1,)]


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
