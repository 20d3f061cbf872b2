"""A backup holds all that cannot be had again, and is put in place whole or not at all."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from test_landing_home import HEADER, ROW, Home

from orchestration import backup as backups
from orchestration import layout
from orchestration.backup import back_up, read_backup, restore
from orchestration.errors import IntentMapError
from orchestration.landing import kept
from orchestration.locking import writer_lock
from orchestration.publishing import publish
from orchestration.settings import DASHBOARD_FILE, SERVING_FILE

EVENTS = (
    "select 'v' || n as visitor_id, timestamp '2026-01-05' as occurred_at, 'page_view' as "
    "event_name from range(5) as t(n)"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """One file with its rows in a table, one that is kept."""
    home = Home(tmp_path_factory.mktemp("built"))
    home.drop("generic/a.csv", HEADER + ROW)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kept, "KEPT_FROM_BYTES", 1)
        home.drop_parquet("generic/b.parquet", EVENTS)
        home.land()
    (home.settings.home / "erasures").mkdir()
    (home.settings.home / "erasures" / "20200101T000000Z.json").write_text("{}")
    return home.settings.home


@pytest.fixture
def home(built, tmp_path) -> Home:
    """Moved, so the paths in its views lead nowhere until it lands again."""
    shutil.copytree(built, tmp_path / "home")
    return Home(tmp_path / "home")


def silent(_: str) -> None:
    pass


def test_a_restored_home_has_the_same_rows_and_knows_its_files(home, tmp_path):
    home.land()
    before = home.events("*")
    made = back_up(home.settings, tmp_path / "backup", silent)
    assert (made.loads, made.raw_rows) == (2, 6)
    other = Home(tmp_path / "other")
    restore(other.settings, tmp_path / "backup", report=silent)
    shutil.copytree(home.settings.landing, other.settings.landing, dirs_exist_ok=True)
    shutil.rmtree(home.settings.home)
    # also the rows of the kept file, which are read from the new home
    assert other.events("*") == before
    assert (other.settings.home / "erasures" / "20200101T000000Z.json").exists()
    assert other.land().files_landed == 0


def test_a_restored_home_serves_its_marts_and_the_page_over_them(home, tmp_path):
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute("create schema marts; create table marts.mart_of_five as from range(5)")
    back_up(home.settings, tmp_path / "backup", silent)
    other = Home(tmp_path / "other")
    restore(other.settings, tmp_path / "backup", report=silent)
    with duckdb.connect(str(other.settings.serving / SERVING_FILE), read_only=True) as served:
        assert served.execute("select count(*) from marts.mart_of_five").fetchall() == [(5,)]
    assert (other.settings.serving / DASHBOARD_FILE).exists()


def test_a_backup_from_before_any_session_takes_the_place_of_what_is_served(home, tmp_path):
    def sessions(number):
        with duckdb.connect(str(home.settings.warehouse)) as con:
            con.execute("create schema if not exists marts")
            con.execute(f"create or replace table marts.mart_sessions as from range({number})")

    sessions(0)
    back_up(home.settings, tmp_path / "backup", silent)
    sessions(5)
    publish(home.settings, "a night", report=silent)
    restore(home.settings, tmp_path / "backup", force=True, report=silent)
    with duckdb.connect(str(home.settings.serving / SERVING_FILE), read_only=True) as served:
        assert served.execute("select count(*) from marts.mart_sessions").fetchall() == [(0,)]


def test_business_files_and_versions_are_in_the_backup(home, tmp_path):
    back_up(home.settings, tmp_path / "backup", silent)
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["duckdb_version"] == duckdb.__version__
    paths = {file["path"] for file in manifest["files"]}
    assert "business_files/micro_conversions.csv" in paths
    found = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert len(found) == len(paths) + 1


@pytest.mark.parametrize(
    "place", ["warehouse", "landing/generic", "serving", "dagster", "dbt/x", "erasures"]
)
def test_a_backup_is_not_put_where_runs_would_take_it_for_theirs(home, place):
    folder = home.settings.home / place / "backup"
    with pytest.raises(IntentMapError, match="that runs read and write; name another folder"):
        back_up(home.settings, folder, silent)
    assert not folder.exists()


@pytest.mark.parametrize("fault", ["changed", "gone", "shorter"])
def test_a_damaged_backup_is_refused_and_the_home_stays(home, tmp_path, fault):
    back_up(home.settings, tmp_path / "backup", silent)
    path = next((tmp_path / "backup").rglob("b.parquet"))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()
    if fault != "gone":
        path.write_bytes(content if fault == "changed" else content[:-1])
    other = Home(tmp_path / "other")
    with pytest.raises(IntentMapError, match=r"b\.parquet .*nothing was restored"):
        restore(other.settings, tmp_path / "backup", report=silent)
    assert not other.settings.warehouse.exists()


def test_what_is_no_whole_backup_of_this_release_is_refused(home, tmp_path):
    with pytest.raises(IntentMapError, match="is no backup, or one that was not finished"):
        read_backup(tmp_path)
    back_up(home.settings, tmp_path / "backup", silent)
    path = tmp_path / "backup" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for change, said in (
        ({"format": 9}, "another format"),
        ({"duckdb_version": "99.0.0"}, "made with DuckDB 99.0.0"),
        ({"files": [{"path": "../x", "size": 1, "sha256": ""}]}, "outside of it"),
        ({"files": 3}, "cannot be read"),
    ):
        path.write_text(json.dumps(manifest | change), encoding="utf-8")
        with pytest.raises(IntentMapError, match=said):
            restore(Home(tmp_path / "other").settings, tmp_path / "backup", report=silent)


def test_a_backup_of_a_newer_release_puts_no_warehouse_aside(home, tmp_path):
    before = home.settings.warehouse.read_bytes()
    home.rows(
        f"create table {layout.TABLE} as select '{layout.NOTE}' as name, "
        f"'{layout.LAYOUT + 1}' as value"
    )
    back_up(home.settings, tmp_path / "backup", silent)
    home.settings.warehouse.write_bytes(before)
    said = r"backup/warehouse/intent_map\.duckdb was made by a newer release"
    with pytest.raises(IntentMapError, match=said):
        restore(home.settings, tmp_path / "backup", force=True, report=silent)
    assert home.settings.warehouse.read_bytes() == before
    assert not (home.settings.home / "replaced").exists()


def test_where_an_attached_table_cannot_be_read_nothing_is_restored_yet(home, tmp_path):
    back_up(home.settings, tmp_path / "backup", silent)
    entry = {"database": str(tmp_path / "x.duckdb"), "table": "t", "arrival_column": "at"}
    other = Home(tmp_path / "other", attached_sources={"segment": entry})
    for _ in range(2):
        with pytest.raises(IntentMapError, match=r"there is no file .*x\.duckdb"):
            restore(other.settings, tmp_path / "backup", report=silent)
        assert not other.settings.warehouse.exists()


def test_a_home_with_a_warehouse_is_replaced_only_when_forced_and_kept_aside(home, tmp_path):
    back_up(home.settings, tmp_path / "backup", silent)
    home.drop("generic/c.csv", HEADER + ROW.replace("v1", "later"))
    home.land()
    receipt = home.settings.home / "erasures" / "29990101T000000Z.json"
    receipt.write_text("{}")
    with pytest.raises(IntentMapError, match="has a warehouse already"):
        restore(home.settings, tmp_path / "backup", report=silent)
    said: list[str] = []
    restore(home.settings, tmp_path / "backup", force=True, report=said.append)
    assert home.rows("select count(*) from raw.generic_events") == [(6,)]
    (aside,) = (home.settings.home / "replaced").glob("*/warehouse/intent_map.duckdb")
    with duckdb.connect(str(aside), read_only=True) as con:
        assert con.execute("select count(*) from raw.loads").fetchone() == (3,)
    assert any(
        line.startswith("1 erasure was made after this backup (29990101T000000Z)")
        and "erase-user" in line
        for line in said
    )
    # the file that had not landed yet when the backup was made lands again
    assert home.land().rows == 1


def test_a_warehouse_that_cannot_be_read_is_kept_aside_too(home, tmp_path):
    back_up(home.settings, tmp_path / "backup", silent)
    home.settings.warehouse.write_bytes(b"not a database" * 1000)
    with pytest.raises(IntentMapError, match="cannot be opened"):
        restore(home.settings, tmp_path / "backup", report=silent)
    restore(home.settings, tmp_path / "backup", force=True, report=silent)
    assert home.rows("select count(*) from raw.generic_events") == [(6,)]
    (aside,) = (home.settings.home / "replaced").glob("*/warehouse/intent_map.duckdb")
    assert aside.read_bytes().startswith(b"not a database")


def test_kept_files_without_a_warehouse_are_not_thrown_away(home, tmp_path):
    back_up(home.settings, tmp_path / "backup", silent)
    home.settings.warehouse.unlink()
    kept_files = [path.name for path in home.settings.warehouse.parent.rglob("*.parquet")]
    with pytest.raises(IntentMapError, match="or files of one"):
        restore(home.settings, tmp_path / "backup", report=silent)
    restore(home.settings, tmp_path / "backup", force=True, report=silent)
    aside = (home.settings.home / "replaced").rglob("*.parquet")
    assert [path.name for path in aside] == kept_files != []


@pytest.mark.parametrize("step", ["_put_aside", "_put_notes_back"])
def test_a_killed_restore_is_made_good_by_the_next_one(home, tmp_path, monkeypatch, step):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    back_up(home.settings, tmp_path / "backup", silent)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(backups, step, killed)
        restore(home.settings, tmp_path / "backup", force=True, report=silent)
    restore(home.settings, tmp_path / "backup", force=True, report=silent)
    assert home.rows("select count(*) from raw.generic_events") == [(6,)]
    assert not list(home.settings.home.glob("*.unfinished"))


def test_between_a_killed_restore_and_the_next_nobody_begins_an_empty_warehouse(
    home, tmp_path, monkeypatch
):
    def killed(*_):
        put_aside(*_)
        raise KeyboardInterrupt

    put_aside = backups._put_aside
    back_up(home.settings, tmp_path / "backup", silent)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(backups, "_put_aside", killed)
        restore(home.settings, tmp_path / "backup", force=True, report=silent)
    with (
        pytest.raises(IntentMapError, match=r"restore into .* was killed.*`intent-map restore` ag"),
        writer_lock(home.settings, "landing", report=silent),
    ):
        pass
    assert not home.settings.warehouse.exists()
    restore(home.settings, tmp_path / "backup", report=silent)
    with writer_lock(home.settings, "landing", report=silent):
        assert home.rows("select count(*) from raw.generic_events") == [(6,)]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_restore_for_which_the_disk_has_no_room_leaves_the_home_as_it_was(
    home, tmp_path, monkeypatch, when
):
    def full(source, target, path=""):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    back_up(home.settings, tmp_path / "backup", silent)
    before = home.settings.warehouse.read_bytes()
    with monkeypatch.context() as patched:
        if when == "before":
            patched.setattr(backups, "SPARE_BYTES", 1 << 60)
        else:
            patched.setattr(backups, "_copy", full)
        with pytest.raises(IntentMapError, match=r"No space left|MB are free"):
            restore(home.settings, tmp_path / "backup", force=True, report=silent)
    assert home.settings.warehouse.read_bytes() == before
    assert not list(home.settings.home.glob("*.unfinished"))
    assert not (home.settings.home / "replaced").exists()


def test_a_backup_that_fails_leaves_nothing_by_its_name(home, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(backups, "_copy", full)
        with pytest.raises(IntentMapError, match="No space left"):
            back_up(home.settings, tmp_path / "backup", silent)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "something").touch()
    with pytest.raises(IntentMapError, match="is there already"):
        back_up(home.settings, tmp_path / "backup", silent)
    with pytest.raises(IntentMapError, match="nothing to back up"):
        back_up(Home(tmp_path / "empty").settings, tmp_path / "third", silent)
