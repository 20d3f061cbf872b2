"""Logs of single runs go when they are old; what all runs share stays."""

import os

import pytest

from orchestration.old_logs import DAY, remove_old_logs
from orchestration.settings import Settings

NOW = 2_000_000_000


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "heim", seeds=tmp_path, log_days=90)


def write(path, days_ago, size=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - days_ago * DAY,) * 2)
    return path


def test_what_single_runs_left_goes_after_the_stated_days_and_not_a_day_before(settings):
    history, printed = settings.dagster_home / "history", settings.dagster_home / "storage"
    gone = [
        write(history / "runs" / "old.db", 91),
        write(history / "runs" / "old.db-wal", 91),
        write(printed / "old" / "compute_logs" / "landing.out", 91),
    ]
    stays = [
        write(history / "runs" / "new.db", 89),
        write(history / "runs" / "index.db", 900),
        write(history / "runs.db", 900),
        write(printed / "new" / "compute_logs" / "landing.out", 89),
        write(settings.dagster_home / "schedules" / "schedules.db", 900),
    ]
    for folder in (printed / "old" / "compute_logs", printed / "old"):
        os.utime(folder, (NOW - 91 * DAY,) * 2)
    assert remove_old_logs(settings, now=NOW) == 1
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stays if not path.exists()] == []


def test_an_error_log_that_has_grown_large_begins_anew_and_the_one_before_stays(settings):
    log = write(settings.home / "logs" / "error.log", 0, size=2 * 1024 * 1024)
    remove_old_logs(settings, now=NOW)
    assert not log.exists()
    assert log.with_name("error.log.1").stat().st_size == 2 * 1024 * 1024


def test_a_home_without_logs_is_left_as_it_is(settings):
    assert remove_old_logs(settings) == 0
    assert not settings.home.exists()
