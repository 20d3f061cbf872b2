"""One writer at a time, across processes; who waits is told why, and not for ever."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import duckdb
import pytest

from orchestration.errors import IntentMapError
from orchestration.locking import LOCK_FILE, writer_lock
from orchestration.settings import MANIFEST_FILE, Settings

HOLD = """
    import sys, time
    from pathlib import Path
    from orchestration.locking import writer_lock
    from orchestration.settings import Settings
    home = Path(sys.argv[1])
    with writer_lock(Settings(home=home, seeds=home), what="landing"):
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
"""
OPEN_FILE = """
    import sys, time, duckdb
    connection = duckdb.connect(sys.argv[1])
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def other_process(code, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().strip() == "held"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def settings(tmp_path):
    home = tmp_path / "heim mit ümlaut"
    return Settings(home=home, seeds=tmp_path)


def test_the_second_process_waits_until_the_first_is_done_and_is_told_once_who_holds_it(settings):
    lines = []
    with other_process(HOLD, settings.home, 0.8) as other:
        began = time.monotonic()
        with writer_lock(settings, "nightly", wait_seconds=20, report=lines.append):
            waited = time.monotonic() - began
    assert waited > 0.5
    assert len(lines) == 1
    assert re.search(rf"process {other.pid} \(\S*python\S* -c .*\), landing", lines[0])


def test_waiting_ends_after_the_stated_time_and_names_the_process_and_what_it_does(settings):
    with (
        other_process(HOLD, settings.home, 30) as other,
        pytest.raises(IntentMapError, match=f"process {other.pid} .*, landing, since .* 0.3 s"),
        writer_lock(settings, "nightly", wait_seconds=0.3, report=lambda _: None),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free(settings):
    with other_process(HOLD, settings.home, 30) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with writer_lock(settings, "nightly", wait_seconds=1):
            held = json.loads((settings.home / LOCK_FILE).read_text())
    assert held["pid"] == os.getpid()
    assert held["what"] == "nightly"


def test_a_step_inside_a_held_run_enters_again_and_leaves_the_lock_held(settings):
    with writer_lock(settings, "run"):
        with writer_lock(settings, "step", wait_seconds=0.1):
            pass
        assert not _can_lock(settings)
    assert _can_lock(settings)


def test_an_error_inside_gives_the_lock_back(settings):
    with pytest.raises(ZeroDivisionError), writer_lock(settings, "run"):
        1 / 0  # noqa: B018
    assert _can_lock(settings)


def test_two_homes_do_not_wait_for_each_other(settings, tmp_path):
    other = Settings(home=tmp_path / "other", seeds=tmp_path)
    with writer_lock(settings, "run"):
        assert _can_lock(other)


def test_a_home_that_cannot_be_made_is_named_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings(home=tmp_path / "file" / "home", seeds=tmp_path)
    with (
        pytest.raises(IntentMapError, match=r"file/home cannot be written .* INTENT_MAP_HOME"),
        writer_lock(settings, "run"),
    ):
        pass


def test_a_lock_file_that_this_user_may_not_write_is_named_itself(settings, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    with writer_lock(settings, "run"):
        pass
    monkeypatch.setattr("orchestration.locking.os.open", refused)
    with (
        pytest.raises(IntentMapError, match=rf"file .*{LOCK_FILE} cannot be written"),
        writer_lock(settings, "run"),
    ):
        pass


def test_a_warehouse_that_is_open_elsewhere_is_waited_for(settings):
    settings.warehouse.parent.mkdir(parents=True)
    lines = []
    with other_process(OPEN_FILE, settings.warehouse, 0.8) as other:
        began = time.monotonic()
        with writer_lock(settings, "nightly", wait_seconds=20, report=lines.append):
            waited = time.monotonic() - began
    assert waited > 0.5
    assert [f"process {other.pid}" in line for line in lines] == [True]


def test_a_warehouse_that_stays_open_elsewhere_is_reported_with_its_process(settings):
    settings.warehouse.parent.mkdir(parents=True)
    with (
        other_process(OPEN_FILE, settings.warehouse, 30) as other,
        pytest.raises(
            IntentMapError,
            match=rf"open by process {other.pid} \(\S*python\S* -c import sys.* Close it there",
        ),
        writer_lock(settings, "nightly", wait_seconds=0.3, report=lambda _: None),
    ):
        pass


def test_a_file_that_is_no_warehouse_is_named_and_not_waited_for(settings):
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_bytes(b"no database" * 1000)
    with (
        pytest.raises(IntentMapError, match=r"intent_map\.duckdb cannot be opened"),
        writer_lock(settings, "nightly", wait_seconds=30),
    ):
        pass


def test_a_warehouse_open_in_this_very_process_is_no_hindrance(settings):
    settings.warehouse.parent.mkdir(parents=True)
    with (
        duckdb.connect(str(settings.warehouse), config={"threads": 1}),
        writer_lock(settings, "nightly", wait_seconds=1),
    ):
        pass


def test_where_the_warehouse_is_gone_that_marts_came_from_no_other_history_is_begun(settings):
    settings.warehouse.parent.mkdir(parents=True)
    duckdb.connect(str(settings.warehouse)).close()
    settings.serving.mkdir()
    manifest = settings.serving / MANIFEST_FILE
    manifest.write_text("{}")
    with writer_lock(settings, "nightly"):
        pass
    settings.warehouse.unlink()
    with (
        pytest.raises(IntentMapError, match=r"is not there, though .*`intent-map restore`") as gone,
        writer_lock(settings, "nightly"),
    ):
        pass
    assert f"remove {manifest}." in str(gone.value)
    with writer_lock(settings, "restore", restores=True):
        pass
    manifest.unlink()
    with writer_lock(settings, "nightly"):
        pass


def _can_lock(settings):
    # another thread is as foreign to the lock as another process
    outcome = []

    def attempt():
        try:
            with writer_lock(settings, "other", wait_seconds=0, report=lambda _: None):
                outcome.append(True)
        except IntentMapError:
            outcome.append(False)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return outcome[0]


HOLD_AS_RUN = HOLD.replace("writer_lock\n", "as_run, writer_lock\n", 1).replace(
    "with writer_lock", 'with as_run(sys.argv[3], "5357d25e"), writer_lock'
)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("nightly_refresh", "Dagster's run 5357d25e of nightly_refresh"),
        ("__ASSET_JOB", "Dagster's run 5357d25e"),
    ],
)
def test_a_run_of_dagster_is_named_as_such_and_not_by_its_command(settings, job, said):
    with other_process(HOLD_AS_RUN, settings.home, 30, job) as other:
        sentence = rf"process {other.pid} \({said}\), landing, since"
        with (
            pytest.raises(IntentMapError, match=sentence),
            writer_lock(settings, "nightly", wait_seconds=0.3, report=lambda _: None),
        ):
            pass
