"""What is published is whole, replaced in one step, and free of personal ids."""

import hashlib
import itertools
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from orchestration import publishing
from orchestration.errors import IntentMapError
from orchestration.publishing import parquet_files, publish
from orchestration.settings import Settings

ROWS = 2_000


@pytest.fixture
def settings(tmp_path):
    settings = Settings(
        home=tmp_path / "heim mit ümlaut's", seeds=tmp_path, hash_key="it's a secret"
    )
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema marts")
        con.execute("create schema intermediate")
        con.execute("create table intermediate.int_secret as select 1 as a")
        con.execute("create table marts.mart_x__dbt_tmp as select 1 as a")
        con.execute("create table marts.mart_empty (day date, user_id varchar)")
    fill(settings, 1)
    return settings


def fill(settings, state):
    """Two marts that carry the same state in each row."""
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            f"""
            create or replace table marts.mart_sessions as
            select
                i as session_key, 'visitor ' || i as visitor_id,
                case when i % 2 = 0 then 'user ' || i end as user_key, 'o' || i as order_id,
                cast(i / 7 as decimal(18, 4)) as revenue, cast(i as hugeint) as many,
                cast('a' as enum ('a', 'b')) as kind, date '2026-01-01' + cast(i as integer) as day,
                {state} as state
            from range({ROWS}) as numbers (i)
            """
        )
        con.execute(f"create or replace table marts.mart_values as select {state} as state")


def served(settings, query):
    path = settings.serving / "intent_map.duckdb"
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def quiet(*_):
    pass


def test_every_mart_is_published_with_its_rows_and_nothing_else(settings):
    manifest = publish(settings, "run-1", report=quiet)
    tables = served(settings, "select table_schema, table_name from information_schema.tables")
    assert sorted(tables) == [
        ("marts", "mart_empty"),
        ("marts", "mart_sessions"),
        ("marts", "mart_values"),
        ("marts", "publication"),
    ]
    assert {table.name: table.rows for table in manifest.tables} == {
        "mart_empty": 0,
        "mart_sessions": ROWS,
        "mart_values": 1,
    }
    assert served(settings, "select sum(many) from marts.mart_sessions") == [
        (ROWS * (ROWS - 1) / 2,)
    ]


def test_the_parquet_copies_hold_the_same_rows(settings):
    publish(settings, "run-1", report=quiet)
    folder = str(settings.serving / "parquet").replace("'", "''")
    for name in ("mart_empty", "mart_sessions", "mart_values", "publication"):
        columns = "* exclude (many, kind)" if name == "mart_sessions" else "*"
        with duckdb.connect() as con:
            copy = con.execute(f"select {columns} from '{folder}/{name}.parquet'").fetchall()
        assert sorted(copy) == sorted(served(settings, f"select {columns} from marts.{name}"))


def test_the_publication_table_says_which_run_and_proves_each_table(settings):
    publish(settings, "run-1", report=quiet)
    rows = served(settings, "select run_id, table_name, row_count from marts.publication")
    assert sorted(rows) == [
        ("run-1", "mart_empty", 0),
        ("run-1", "mart_sessions", ROWS),
        ("run-1", "mart_values", 1),
    ]
    noted, counted = served(
        settings,
        """
        select
            (select row_checksum from marts.publication where table_name = 'mart_sessions'),
            (select cast(sum(cast(hash(r) as hugeint)) as varchar) from marts.mart_sessions as r)
        """,
    )[0]
    assert noted == counted


def test_the_manifest_file_holds_the_checksums_of_the_served_files(settings):
    manifest = publish(settings, "run-1", report=quiet)
    written = json.loads((settings.serving / "manifest.json").read_text(encoding="utf-8"))
    assert written["run_id"] == "run-1"
    content = (settings.serving / written["serving_file"]).read_bytes()
    assert written["serving_sha256"] == hashlib.sha256(content).hexdigest()
    for table in written["tables"]:
        copy = settings.serving / "parquet" / f"{table['name']}.parquet"
        assert table["parquet_sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert manifest.path == settings.serving / "manifest.json"


def test_ids_of_people_are_keyed_hashes_and_other_keys_stay(settings):
    publish(settings, "run-1", report=quiet)
    row = served(
        settings,
        "select visitor_id, user_key, order_id from marts.mart_sessions where session_key = 4",
    )[0]
    assert row == (
        hashlib.sha256(b"it's a secret|visitor 4").hexdigest(),
        hashlib.sha256(b"it's a secret|user 4").hexdigest(),
        "o4",
    )
    odd = served(settings, "select user_key from marts.mart_sessions where session_key = 5")
    assert odd == [(None,)]


def test_no_byte_of_an_id_or_of_the_key_is_in_what_is_served(settings):
    publish(settings, "run-1", report=quiet)
    files = [path for path in settings.serving.rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        content = path.read_bytes()
        assert b"visitor 4" not in content
        assert b"a secret" not in content


def test_without_a_key_the_ids_are_left_out_their_columns_stay_and_it_is_said(settings):
    settings = Settings(home=settings.home, seeds=settings.seeds, hash_key=None)
    lines = []
    manifest = publish(settings, "run-1", report=lines.append)
    assert served(settings, "select count(visitor_id), count(*) from marts.mart_sessions") == [
        (0, ROWS)
    ]
    assert manifest.personal_ids == "left out"
    assert any("No INTENT_MAP_HASH_KEY is set" in line for line in lines)


def test_the_next_publish_replaces_everything_and_keeps_one_folder_for_slow_readers(settings):
    for state in (1, 2, 3):
        fill(settings, state)
        publish(settings, f"run-{state}", report=quiet)
    assert served(settings, "select distinct state from marts.mart_sessions") == [(3,)]
    versions = sorted(path.name for path in (settings.serving / "parquet_versions").iterdir())
    assert [name.split("_")[1] for name in versions] == ["run-2", "run-3"]
    assert (settings.serving / "parquet").resolve().name == versions[-1]
    assert not [path for path in settings.serving.rglob("*") if "unfinished" in path.name]


def test_a_served_file_is_never_written_over(settings):
    publish(settings, "run-1", report=quiet)
    files = ("intent_map.duckdb", "manifest.json", "parquet/mart_sessions.parquet")
    before = {name: (settings.serving / name).read_bytes() for name in files}
    opened = {name: (settings.serving / name).open("rb") for name in files}
    fill(settings, 2)
    publish(settings, "run-2", report=quiet)
    for name, file in opened.items():
        with file:
            assert file.read() == before[name]
        assert (settings.serving / name).read_bytes() != before[name]


def test_an_open_reader_keeps_what_it_opened(settings):
    publish(settings, "run-1", report=quiet)
    path = str(settings.serving / "intent_map.duckdb")
    code = """
        import duckdb, sys
        con = duckdb.connect(sys.argv[1], read_only=True)
        for line in sys.stdin:
            print(con.execute("select min(state), max(state) from marts.mart_sessions").fetchall(),
                flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:

        def ask():
            reader.stdin.write("now\n")
            reader.stdin.flush()
            return reader.stdout.readline().strip()

        assert ask() == "[(1, 1)]"
        fill(settings, 2)
        publish(settings, "run-2", report=quiet)
        assert ask() == "[(1, 1)]"
        reader.stdin.close()
        assert reader.wait(timeout=10) == 0
    assert served(settings, "select max(state) from marts.mart_sessions") == [(2,)]


READER = """
    import duckdb, sys, time
    from pathlib import Path
    serving, stop = Path(sys.argv[1]), Path(sys.argv[2])
    file = str(serving / "intent_map.duckdb")
    ROWS = "select cast(sum(cast(hash(r) as hugeint)) as varchar), min(state), max(state) from {} r"

    def published(con, tables, publication):
        # the checksum of the publish proves the rows, its run the state that they carry
        ((run, checksum),) = con.execute(
            f"select run_id, row_checksum from {publication} where table_name = 'mart_sessions'"
        ).fetchall()
        for table in tables:
            found, low, high = con.execute(ROWS.format(table)).fetchone()
            assert low == high == int(run.removeprefix("run-")), (run, table, low, high)
            assert found == checksum or table not in tables[:1], (run, table)
        return low

    def opened(path):
        with duckdb.connect(path, read_only=True) as con:
            return published(con, ("marts.mart_sessions", "marts.mart_values"), "marts.publication")

    def copies():
        folder = str((serving / "parquet").resolve()).replace("'", "''")
        with duckdb.connect() as con:
            names = [f"'{folder}/{name}.parquet'" for name in ("mart_values", "publication")]
            # Parquet has neither of the two types
            types = "cast(many as hugeint) as many, cast(kind as enum ('a', 'b')) as kind"
            sessions = f"(select * replace ({types}) from '{folder}/mart_sessions.parquet')"
            return published(con, (sessions, names[0]), names[1])

    def kept():
        low, high = open_file.execute(
            "select min(state), max(state) from marts.mart_sessions"
        ).fetchone()
        assert low == high == 1, (low, high)
        return low

    # a second connection of one process would share what the first has open
    open_file = duckdb.connect(file, read_only=True) if sys.argv[3] == "kept" else None
    seen, slowest = [kept() if open_file else opened(file)], 0.0
    print("reading", flush=True)
    is_last = False
    while not is_last:
        # once more after the last publish
        is_last = stop.exists()
        began = time.monotonic()
        seen.append(kept() if open_file else opened(file))
        copies()
        slowest = max(slowest, time.monotonic() - began)
        assert seen == sorted(seen), seen
        time.sleep(0.01)
    print(len(seen), len(set(seen)), seen[-1], slowest, flush=True)
"""


@pytest.mark.parametrize(
    ("number", "publishes"), [(3, 5), pytest.param(20, 20, marks=pytest.mark.deep)]
)
def test_readers_without_pause_never_fail_see_whole_publishes_and_the_newest_when_they_reconnect(
    settings, tmp_path, number, publishes
):
    publish(settings, "run-1", report=quiet)
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(READER), settings.serving, stop, how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _, how in zip(range(number), itertools.cycle(("anew", "kept", "anew")), strict=False)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline().strip() == "reading"
        for state in range(2, publishes + 2):
            fill(settings, state)
            publish(settings, f"run-{state}", report=quiet)
    finally:
        stop.touch()
        outcomes = [reader.communicate(timeout=120) for reader in readers]
    for number, (out, err) in enumerate(outcomes):
        assert err == ""
        reads, states, last, slowest = out.split()
        assert int(reads) >= 3
        newest = 1 if number % 3 == 1 else publishes + 1
        assert int(last) == newest
        assert (int(states) > 1) == (newest > 1)
        print(f"{reads} reads of {states} states, the slowest took {float(slowest):.2f} s")


READ_ONCE = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as con:
    print(con.execute("select max(state) from marts.mart_values").fetchone()[0])
"""


def test_a_reader_does_not_wait_for_a_publish_that_takes_its_time(settings, monkeypatch):
    publish(settings, "run-1", report=quiet)
    fill(settings, 2)
    read = []

    def slowly(path, to_disk=publishing.to_disk):
        to_disk(path)
        if path.name.startswith(publishing.MANIFEST_FILE):
            # all is written, and nothing is replaced until the reader has what it wants
            done = subprocess.run(
                [sys.executable, "-c", READ_ONCE, settings.serving / "intent_map.duckdb"],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            read.append(done.stdout.strip())

    monkeypatch.setattr(publishing, "to_disk", slowly)
    publish(settings, "run-2", report=quiet)
    assert read == ["1"]
    assert served(settings, "select max(state) from marts.mart_values") == [(2,)]


OLDER_CLIENTS = ("1.1.3", "1.3.2")


@pytest.mark.deep
@pytest.mark.parametrize("version", OLDER_CLIENTS)
def test_an_older_client_reads_the_served_file_and_the_copies(settings, tmp_path, version):
    publish(settings, "run-1", report=quiet)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("update marts.mart_values set state = 2")
    publish(settings, "run-2", report=quiet)
    client = tmp_path / "client"
    installed = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
            *("--disable-pip-version-check", "--target", client, f"duckdb=={version}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"DuckDB {version} cannot be installed here: no package registry, or no wheel")
    done = subprocess.run(
        [sys.executable, "-S", "-c", textwrap.dedent(CLIENT), client, settings.serving],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [version, str(ROWS), "3", str(ROWS)]


CLIENT = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import duckdb
    con = duckdb.connect(sys.argv[2] + "/intent_map.duckdb", read_only=True)
    print(duckdb.__version__, *con.execute("select count(*) from marts.mart_sessions").fetchone())
    print(*con.execute("select count(*) from marts.publication where row_count >= 0").fetchone())
    folder = sys.argv[2].replace("'", "''") + "/parquet"
    print(*con.execute(f"select count(*) from '{folder}/mart_sessions.parquet'").fetchone())
"""


def test_a_disk_that_is_full_leaves_what_is_served_and_no_rest(settings, monkeypatch):
    publish(settings, "run-1", report=quiet)
    before = contents(settings.serving)
    fill(settings, 2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "to_disk", full)
    with pytest.raises(IntentMapError, match=r"No space left on device\. What is served there is"):
        publish(settings, "run-2", report=quiet)
    assert contents(settings.serving) == before


def test_a_failing_copy_leaves_what_is_served_and_no_rest(settings, monkeypatch):
    publish(settings, "run-1", report=quiet)
    before = contents(settings.serving)
    fill(settings, 2)
    # fails in the middle, each time: mart_sessions is copied by then
    monkeypatch.setattr(parquet_files, "copy_to_parquet", _failing_second_time())
    with pytest.raises(IntentMapError, match="stopped: IO Error: broken"):
        publish(settings, "run-2", report=quiet)
    assert contents(settings.serving) == before


def _failing_second_time():
    calls = []

    def counted(con, query, path, real=parquet_files.copy_to_parquet):
        calls.append(1)
        if len(calls) == 2:
            raise duckdb.IOException("IO Error: broken")
        real(con, query, path)

    return counted


def test_a_copy_that_reads_back_otherwise_is_not_served(settings, monkeypatch):
    publish(settings, "run-1", report=quiet)
    before = contents(settings.serving)
    real = publishing._copy

    def spoiled(con, copied, before, beside):
        written = real(con, copied, before, beside)
        with duckdb.connect(str(copied.file)) as other:
            other.execute("update marts.mart_sessions set state = 9 where session_key = 7")
        return written

    monkeypatch.setattr(publishing, "_copy", spoiled)
    with pytest.raises(IntentMapError, match="copy of mart_sessions does not read back as written"):
        publish(settings, "run-2", report=quiet)
    assert contents(settings.serving) == before


def test_what_a_killed_publish_left_is_removed_by_the_next(settings):
    serving = settings.serving
    (serving / "parquet_versions" / "20200101T000000_x_1.unfinished").mkdir(parents=True)
    for name in (
        "intent_map.duckdb.unfinished",
        "intent_map.duckdb.unfinished.wal",
        "manifest.json.unfinished",
    ):
        (serving / name).write_text("rest")
    (serving / "parquet.unfinished").symlink_to("nowhere")
    publish(settings, "run-1", report=quiet)
    assert not [path for path in serving.rglob("*") if "unfinished" in path.name]
    assert served(settings, "select max(state) from marts.mart_values") == [(1,)]


def test_a_folder_where_the_link_should_be_is_taken_over(settings):
    # such as after putting back a backup that does not keep links
    (settings.serving / "parquet").mkdir(parents=True)
    (settings.serving / "parquet" / "mart_old.parquet").write_text("old")
    publish(settings, "run-1", report=quiet)
    assert (settings.serving / "parquet").is_symlink()
    assert (settings.serving / "parquet" / "mart_values.parquet").is_file()


def test_serving_that_cannot_be_written_is_named(settings):
    settings.serving.write_text("a file in the way")
    with pytest.raises(
        IntentMapError, match=r"Publishing to .*/serving stopped: .*/serving: File exists"
    ):
        publish(settings, "run-1", report=quiet)


@pytest.mark.parametrize("what", ["no warehouse", "no mart"])
def test_a_home_without_marts_says_what_to_run_first(tmp_path, what):
    settings = Settings(home=tmp_path, seeds=tmp_path)
    if what == "no mart":
        settings.warehouse.parent.mkdir(parents=True)
        duckdb.connect(str(settings.warehouse)).close()
    with pytest.raises(IntentMapError, match=r"nothing to publish: .* Run the nightly job first"):
        publish(settings, "run-1", report=quiet)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
