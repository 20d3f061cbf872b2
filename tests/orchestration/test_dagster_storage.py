"""Dagster's own state lives in the home, and what one process writes another sees at once."""

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
import threading

import pytest
import yaml
from dagster import DagsterInstance, job, op
from dagster._core.instance.ref import InstanceRef

from orchestration.dagster_storage import HomeStorage
from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INTENT_MAP_HOME", str(tmp_path / "heim mit ümlaut"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path / "heim mit ümlaut"


@pytest.fixture
def instance(home, tmp_path):
    """As `dagster dev` in the repository makes it: a passing folder, the repository's settings."""
    passing = tmp_path / "passing"
    passing.mkdir()
    ref = InstanceRef.from_dir(str(passing), config_dir=str(PROJECT_ROOT))
    with DagsterInstance.from_ref(ref) as instance:
        yield instance
    assert list(passing.iterdir()) == []


def test_all_of_dagsters_state_is_below_the_home(instance, home):
    folder = str(home / "dagster")
    assert instance.storage_directory().startswith(folder)
    assert instance.compute_log_manager._base_dir.startswith(folder)
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        assert (home / "dagster" / name).is_file()


def test_other_processes_of_dagster_dev_find_the_same_state(instance, home):
    # they get the instance as a reference and make the storage from it again
    with DagsterInstance.from_ref(instance.get_ref()) as other:
        assert isinstance(other._event_storage, type(instance._event_storage))
        assert other.storage_directory() == instance.storage_directory()


def test_telemetry_is_off_and_one_run_starts_at_a_time(instance):
    assert not instance.telemetry_enabled
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1


def test_the_settings_file_names_no_folder_of_any_machine():
    settings = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert "base_dir" not in str(settings)


def test_a_home_with_a_file_in_the_place_of_its_storage_is_named(tmp_path, monkeypatch):
    (tmp_path / "dagster").write_text("")
    monkeypatch.setenv("INTENT_MAP_HOME", str(tmp_path))
    with pytest.raises(IntentMapError, match=r"cannot be written \(File exists\)"):
        HomeStorage.from_config_value(None, {})


def test_a_home_on_a_disk_that_may_only_be_read_is_named(home, monkeypatch):
    (home / "dagster").mkdir(parents=True)

    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(IntentMapError, match=r"cannot be written \(Read-only file system\)"):
        HomeStorage.from_config_value(None, {})


def test_dagsters_commands_say_an_impossible_setting_without_a_traceback(home):
    said = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        env={**os.environ, "INTENT_MAP_THREADS": "abc"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert said.stderr.endswith("Error: INTENT_MAP_THREADS is 'abc'; write it like 2.\n")


WRITE = """
    import sys
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef
    from orchestration.settings import PROJECT_ROOT
    ref = InstanceRef.from_dir(sys.argv[1], config_dir=str(PROJECT_ROOT))
    with DagsterInstance.from_ref(ref) as instance:
        run = instance.get_run_by_id(sys.argv[2])
        for number in range(20):
            instance.report_engine_event(f"event {number}", run)
        print("written", flush=True)
        sys.stdin.readline()
"""


@op
def _nothing():
    pass


@job
def _empty():
    _nothing()


def test_who_watches_a_run_sees_each_event_while_the_writer_is_still_there(instance, tmp_path):
    run = instance.create_run_for_job(_empty)
    seen, all_seen = [], threading.Event()

    def watch(entry, _):
        seen.append(entry.message)
        if "event 19" in seen:
            all_seen.set()

    # the shard of the run is there before somebody watches it
    instance.report_engine_event("begun", run)
    instance.watch_event_logs(run.run_id, None, watch)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITE), str(tmp_path / "passing"), run.run_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    ) as writer:
        assert writer.stdout.readline().strip() == "written"
        arrived = all_seen.wait(timeout=10)
        writer.communicate("end\n")
    instance.end_watch_event_logs(run.run_id, watch)
    assert arrived
    assert [line for line in seen if line.startswith("event ")] == [f"event {n}" for n in range(20)]
