"""A disk that is full or closed: a sentence, nothing lost, and the next run goes on.

The full disk is a real one, a small file system in memory, which only root can mount.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pytest

from orchestration import cli
from orchestration.disk import refused_by_disk
from orchestration.errors import IntentMapError
from orchestration.landing import land
from orchestration.locking import writer_lock
from orchestration.publishing import publish
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources import LANDING_SOURCES

NOBODY = 65534
LANDING_FOLDERS = tuple(f"landing/{source}" for source in LANDING_SOURCES)
SPARE_BYTES = 256 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    place = tmp_path / "small disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user may not mount a small file system, so none can be filled")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def settings(small_disk):
    return Settings(home=small_disk / "heim", seeds=PROJECT_ROOT / "seeds", hash_key="a key")


def fill(settings, spare=SPARE_BYTES):
    """Leave so many bytes; returns the file that takes the room."""
    filler = settings.home / "filler"
    status = os.statvfs(settings.home)
    filler.write_bytes(b"x" * max(0, status.f_bavail * status.f_frsize - spare))
    return filler


def quiet(*_):
    pass


def drop(settings, name, rows):
    folder = settings.landing / "generic"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}{i * 7919 % rows},2025-01-01 00:00:00,page_view\n" for i in range(rows)]
    text = "visitor_id,occurred_at,event_name\n" + "".join(lines)
    (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def landed(settings):
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return con.execute(
            "select file_name, status, row_count, (select count(*) from raw.generic_events as rows "
            "where rows.load_id = loads.load_id) from raw.loads order by all"
        ).fetchall()


def test_landing_on_a_full_disk_says_so_and_lands_each_row_once_when_there_is_room(settings):
    drop(settings, "a", 100)
    with writer_lock(settings, "a test"):
        land(settings, report=quiet)
    drop(settings, "b", 60_000)
    filler = fill(settings)
    for _ in range(2):
        with (
            pytest.raises(IntentMapError, match=r"heim is full; make room and run again\."),
            writer_lock(settings, "a test", report=quiet),
        ):
            land(settings, report=quiet)
    filler.unlink()
    with writer_lock(settings, "a test"):
        land(settings, report=quiet)
    assert landed(settings) == [
        ("a.csv", "landed", 100, 100),
        ("b.csv", "landed", 60_000, 60_000),
    ]
    assert not (settings.landing / "_set_aside").exists()


def test_publishing_on_a_full_disk_leaves_what_is_served_and_works_when_there_is_room(settings):
    settings.warehouse.parent.mkdir(parents=True)

    def state(number):
        with duckdb.connect(str(settings.warehouse)) as con:
            con.execute("create schema if not exists marts")
            con.execute(
                "create or replace table marts.mart_values as select i, md5(cast(i as varchar)) "
                f"as text, {number} as state from range(20000) as rows (i)"
            )

    def served():
        with duckdb.connect(str(settings.serving / "intent_map.duckdb"), read_only=True) as con:
            return con.execute("select distinct state from marts.mart_values").fetchall()

    state(1)
    publish(settings, "first", report=quiet)
    state(2)
    filler = fill(settings)
    with pytest.raises(IntentMapError, match=r"the disk is full.* unchanged.* disk has room"):
        publish(settings, "second", report=quiet)
    assert served() == [(1,)]
    assert not [path for path in settings.serving.rglob("*") if "unfinished" in path.name]
    filler.unlink()
    publish(settings, "third", report=quiet)
    assert served() == [(2,)]


CHECK_HOME = """
import os, sys
from pathlib import Path
from orchestration.cli import prepare_home
from orchestration.errors import IntentMapError
from orchestration.settings import Settings
if os.geteuid() == 0:
    # root may write everywhere; what is imported by now another user need not read
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    prepare_home(Settings(home=Path(sys.argv[1]), seeds=Path(sys.argv[1])))
except IntentMapError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("revoked", ["warehouse", "serving", "dagster", ""])
def test_a_right_that_was_taken_away_is_named_before_anything_begins(revoked):
    # not below pytest's own folders, which are closed to others
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "heim"
        for name in ("warehouse", "serving", "dagster", *LANDING_FOLDERS):
            (home / name).mkdir(parents=True)
        if os.geteuid() == 0:
            for path in (Path(folder), *Path(folder).rglob("*")):
                os.chown(path, NOBODY, NOBODY)

        def ask():
            return subprocess.run(
                [sys.executable, "-c", CHECK_HOME, home, str(NOBODY)],
                cwd=PROJECT_ROOT,
                capture_output=True,
                text=True,
                check=False,
            )

        (home / revoked).chmod(0o500)
        refused = ask()
        (home / revoked).chmod(0o700)
        assert refused.returncode == 1
        assert f"'{home / revoked}' cannot be written (Permission denied)" in refused.stderr
        assert "Traceback" not in refused.stderr
        again = ask()
        assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "The disk of heim is full."),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "is full."),
        (duckdb.IOException("Could not write file: No space left on device"), "is full."),
        (PermissionError(13, "Permission denied", "heim/x"), "heim/x may not be written or read"),
        (RuntimeError("attempt to write a readonly database"), "heim may not be written or read"),
    ],
)
def test_an_error_of_the_disk_is_said_as_one_also_behind_others(error, sentence):
    outer = ValueError("something went wrong")
    outer.__cause__ = error
    assert sentence in refused_by_disk(outer, Path("heim"))


def test_another_error_is_none_of_the_disk():
    assert refused_by_disk(ValueError("no such column"), Path("heim")) is None


def test_a_disk_that_fills_up_somewhere_in_a_command_ends_it_with_a_sentence(
    tmp_path, monkeypatch, capsys
):
    def full(*_):
        raise OSError(28, "No space left on device", "anything")

    monkeypatch.setenv("INTENT_MAP_HOME", str(tmp_path))
    monkeypatch.setitem(cli.COMMANDS, "check", cli.Command("", full))
    assert cli.main(["check"]) == cli.FAILED
    said = capsys.readouterr().err
    assert said.startswith(f"error: The disk of {tmp_path} is full. Make room and run the same")
