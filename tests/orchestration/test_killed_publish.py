"""A publish that is killed before any of its file operations leaves something whole to read.

The kernel kills the process itself, so nothing can be tidied up on the way out. DuckDB's own writes
are not among the operations; the deep tests of the killed program come upon those.
"""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from orchestration import publishing
from orchestration.publishing import publish
from orchestration.settings import Settings

# forks before anything has opened a database, once for each operation
KILL_AT_EACH = """
    import json, os, shutil, signal, sys
    from pathlib import Path

    import duckdb
    from orchestration.publishing import publish
    from orchestration.settings import Settings

    home, base = Path(sys.argv[1]), Path(sys.argv[2])
    settings = Settings(home=home, seeds=home, hash_key="a key")
    CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link"}

    def is_written(path, _, flags):
        return str(path).startswith(str(home)) and flags & (os.O_WRONLY | os.O_RDWR)

    def killed_before(operation):
        count = 0

        def watch(event, arguments):
            nonlocal count
            if event in CHANGES or event == "open" and is_written(*arguments):
                count += 1
                if count == operation:
                    print("killed before", event, *arguments[:2], file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        publish(settings, "killed", report=lambda _: None)

    def seen():
        with duckdb.connect(str(home / "serving" / "intent_map.duckdb"), read_only=True) as con:
            states = con.execute(
                "select state from marts.mart_a union select state from marts.mart_b"
            ).fetchall()
            wrong = con.execute(
                "select count(*) from marts.publication where table_name = 'mart_a' and "
                "row_checksum != (select cast(sum(cast(hash(r) as hugeint)) as varchar) "
                "from marts.mart_a as r)"
            ).fetchone()[0]
        folder = (home / "serving" / "parquet").resolve()
        copies = duckdb.sql(
            f"select state from '{folder}/mart_a.parquet' union "
            f"select state from '{folder}/mart_b.parquet'"
        ).fetchall()
        json.loads((home / "serving" / "manifest.json").read_text())
        assert (len(states), wrong, len(copies)) == (1, 0, 1), (states, wrong, copies)
        return states[0][0], copies[0][0]

    def judged():
        first = seen()
        publish(settings, "again", report=lambda _: None)
        assert seen() == (2, 2)
        rest = [path for path in (home / "serving").rglob("*") if "unfinished" in path.name]
        assert not rest, rest
        print(*first, flush=True)

    def in_a_child(work, *arguments):
        if (child := os.fork()) == 0:
            try:
                work(*arguments)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    operation = 0
    while True:
        operation += 1
        shutil.rmtree(home / "serving")
        shutil.copytree(base / "serving", home / "serving", symlinks=True)
        status = in_a_child(killed_before, operation)
        if status == 0:
            break
        assert status == -signal.SIGKILL, status
        assert in_a_child(judged) == 0, operation
"""


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path / "heim mit ümlaut", seeds=tmp_path, hash_key="a key")
    settings.warehouse.parent.mkdir(parents=True)
    return settings


def fill(settings, state):
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists marts")
        for name in ("mart_a", "mart_b"):
            con.execute(
                f"create or replace table marts.{name} as "
                f"select i as visitor_id, {state} as state from range(500) as numbers (i)"
            )


def test_a_publish_killed_before_any_of_its_file_operations_is_made_good_by_the_next(
    settings, tmp_path
):
    fill(settings, 1)
    publish(settings, "before", report=lambda _: None)
    base = tmp_path / "base"
    shutil.copytree(settings.serving, base / "serving", symlinks=True)
    fill(settings, 2)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILL_AT_EACH), settings.home, base],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    # the served file is replaced before the Parquet copies are
    assert set(found) == {(1, 1), (2, 1), (2, 2)}
    assert len(found) >= 8


def test_everything_is_on_disk_before_it_is_put_in_its_place(settings, monkeypatch):
    flushed, swaps = set(), []
    to_disk, replace = publishing.to_disk, Path.replace

    def noted(path):
        to_disk(path)
        flushed.add(path.stat().st_ino)

    def watched(new, place):
        content = [new.resolve(), *new.resolve().glob("*")]
        swaps.append(
            (place.name, [one.name for one in content if one.stat().st_ino not in flushed])
        )
        return replace(new, place)

    monkeypatch.setattr(publishing, "to_disk", noted)
    monkeypatch.setattr(Path, "replace", watched)
    fill(settings, 1)
    publish(settings, "one", report=lambda _: None)
    assert swaps == [("intent_map.duckdb", []), ("parquet", []), ("manifest.json", [])]
    # and so are the names, afterwards
    assert settings.serving.stat().st_ino in flushed
