"""The folders themselves: what is landed, ignored, set aside or warned of, and a home of any name.

`Home` is the small world that all landing tests work in.
"""

import gzip
import json
import os
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.errors import IntentMapError
from orchestration.landing import LandingResult, land, land_days, listing
from orchestration.landing import ahead as landing_ahead
from orchestration.landing import files as landing_files
from orchestration.landing import run as landing_run
from orchestration.landing import warehouse as landing_warehouse
from orchestration.settings import PROJECT_ROOT, Settings

HEADER = "visitor_id,occurred_at,event_name\n"
ROW = "v1,2026-01-05 10:00:00,page_view\n"


class Home:
    """A fresh home; what landing says is kept in `said`."""

    def __init__(self, folder: Path, **dbt_vars: Any) -> None:
        self.settings = Settings(folder, PROJECT_ROOT / "seeds", dbt_vars=dbt_vars)
        self.said: list[str] = []

    def drop(self, name: str, content: str | bytes | list[dict]) -> Path:
        """Write a file below landing/: text, bytes (gzipped for .gz names), or objects as lines."""
        path = self.settings.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        if isinstance(content, str):
            content = content.encode()
            content = gzip.compress(content) if name.endswith(".gz") else content
        path.write_bytes(content)
        return path

    def drop_parquet(self, name: str, query: str) -> Path:
        path = self.drop(name, b"")
        with duckdb.connect() as con:
            con.execute("set TimeZone = 'UTC'")
            con.sql(query).write_parquet(str(path))
        return path

    def land(self, source: str | None = None) -> LandingResult:
        self.said.clear()
        return land(self.settings, source, report=self.said.append)

    def rows(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.settings.warehouse)) as con:
            con.execute("set TimeZone = 'UTC'")
            return con.execute(query).fetchall()

    def events(self, columns: str, table: str = "generic_events") -> list[tuple]:
        return self.rows(f"select {columns} from raw.{table} order by load_id, row_number")

    def aside(self, name: str) -> Path:
        return self.settings.landing / "_set_aside" / name


def test_a_name_that_holds_line_ends_is_one_line_in_what_is_said(tmp_path):
    home = Home(tmp_path)
    name = "generic/a\nearly warning: \x1b[2J.csv"
    home.drop(name, HEADER + ROW)
    assert home.land().files_landed == 1
    home.drop(name, HEADER + ROW + ROW)
    home.land()
    assert any("generic/a early warning: \ufffd[2J.csv was set aside" in said for said in home.said)
    assert home.events("file_name") == [("a\nearly warning: \x1b[2J.csv",)]


def test_every_format_lands_with_the_name_of_its_file_and_the_number_of_its_row(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW + ROW)
    home.drop("generic/2026/01/b.csv.gz", HEADER + ROW)
    event = {"visitor_id": "v1", "occurred_at": "2026-01-05 10:00:00", "event_name": "page_view"}
    home.drop("generic/c.jsonl", [event, event])
    home.drop("generic/d.ndjson.gz", [event])
    home.drop("generic/e.json", [event])
    home.drop_parquet(
        "generic/f.PARQUET",
        "select 'v1' as visitor_id, timestamp '2026-01-05 10:00' as occurred_at, "
        "'page_view' as event_name from range(2)",
    )
    result = home.land()
    assert home.events("file_name, row_number") == [
        ("2026/01/b.csv.gz", 1),
        ("a.csv", 1),
        ("a.csv", 2),
        ("c.jsonl", 1),
        ("c.jsonl", 2),
        ("d.ndjson.gz", 1),
        ("e.json", 1),
        ("f.PARQUET", 1),
        ("f.PARQUET", 2),
    ]
    assert (
        len(
            home.rows("select distinct visitor_id, occurred_at, event_name from raw.generic_events")
        )
        == 1
    )
    assert result.files_landed == 6
    assert result.rows == 9


def test_load_ids_rise_with_the_names_of_the_files_and_over_all_sources(tmp_path):
    home = Home(tmp_path)
    for name in ("b.csv", "a.csv", "c.jsonl"):
        row = {"visitor_id": name, "occurred_at": 1767607200, "event_name": "x"}
        home.drop(f"generic/{name}", [row] if "json" in name else HEADER + f"{name},1767607200,x\n")
    home.drop("orders/a.csv", "order_id,value\n1,2\n")
    home.land()
    home.drop("generic/0.csv", HEADER + ROW)
    home.land()
    assert home.rows("select source, file_name from raw.loads order by load_id") == [
        ("generic", "a.csv"),
        ("generic", "b.csv"),
        ("generic", "c.jsonl"),
        ("orders", "a.csv"),
        ("generic", "0.csv"),
    ]
    ((loads, different),) = home.rows("select count(*), count(distinct load_id) from raw.loads")
    assert loads == different
    assert home.events("load_id")[-1] == (5,)


def test_the_same_files_again_change_nothing(tmp_path, monkeypatch):
    # a file that settles between the two landings is marked by the second one
    monkeypatch.setattr(landing_files, "SETTLED_SECONDS", 3600)
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("ad_spend/a.csv", "date,campaign,cost\n2026-01-05,brand,3\n")
    home.land()
    before = home.rows("from raw.generic_events"), home.rows("from raw.loads")
    result = home.land()
    assert (home.rows("from raw.generic_events"), home.rows("from raw.loads")) == before
    assert result.files_landed == 0
    assert result.sources["generic"].unchanged == 1


def test_files_whose_turn_has_not_come_are_left_when_landing_is_stopped():
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt), landing_files.several_at_once() as pool:
        pool.map(work, range(100))
        raise KeyboardInterrupt
    assert 0 < len(begun) < 100


def test_a_landed_file_may_be_taken_away_and_brought_back(tmp_path):
    home = Home(tmp_path)
    path = home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    path.unlink()
    assert home.land().rows == 0
    home.drop("generic/a.csv", HEADER + ROW)
    assert home.land().rows == 0
    assert len(home.events("visitor_id")) == 1


def test_a_changed_file_under_an_old_name_is_refused_and_the_old_rows_stay(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    # same size and same time of change: only the content tells
    path = home.drop("generic/a.csv", HEADER + ROW.replace("v1", "v2"))
    os.utime(path, ns=(0, 0))
    result = home.land()
    assert home.events("visitor_id") == [("v1",)]
    assert "content changed" in result.set_aside[0][1]
    assert "new name" in result.set_aside[0][1]
    assert not path.exists()
    assert home.aside("generic/a.csv").read_text() == HEADER + ROW.replace("v1", "v2")
    assert "content changed" in home.aside("generic/a.csv.reason.txt").read_text()


def test_a_file_that_landed_without_rows_may_be_filled_later(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", "")
    assert home.land().files_landed == 1
    home.drop("generic/a.csv", HEADER + ROW)
    assert home.land().rows == 1


def test_a_copy_under_a_new_name_is_recorded_and_not_landed(tmp_path):
    home = Home(tmp_path)
    spend = "date,campaign,cost\n2026-01-05,brand,3\n"
    home.drop("ad_spend/a.csv", spend)
    home.drop("ad_spend/b.csv", spend)
    result = home.land()
    assert home.events("cost, file_name", "ad_spend")[0][1] == "a.csv"
    assert len(home.events("cost", "ad_spend")) == 1
    assert result.sources["ad_spend"].duplicates == [("b.csv", "a.csv")]
    assert any("b.csv is not landed: same content as a.csv" in said for said in home.said)
    assert home.rows("select status, row_count from raw.loads where file_name = 'b.csv'") == [
        ("duplicate", 0)
    ]
    assert home.land().sources["ad_spend"].unchanged == 2


def test_files_without_rows_land_each_under_its_own_name(tmp_path):
    home = Home(tmp_path)
    for name in ("a.csv", "b.csv", "c.csv"):
        home.drop(f"generic/{name}", HEADER)
    home.drop("generic/d.jsonl", "")
    home.drop("generic/e.csv.gz", "")
    home.drop_parquet(
        "generic/f.parquet",
        "select '' as visitor_id, now() as occurred_at, '' as event_name limit 0",
    )
    result = home.land()
    assert result.files_landed == 6
    assert result.rows == 0
    assert home.land().sources["generic"].unchanged == 6


def test_files_still_being_written_are_left_alone(tmp_path):
    home = Home(tmp_path)
    names = ["_SUCCESS", ".a.csv", "a.csv.tmp", "b.csv.part", "c.crdownload", "d.csv.FILEPART"]
    for name in [*names, "_temporary/e.csv", ".git/f.csv"]:
        home.drop(f"generic/{name}", HEADER + ROW)
    result = home.land()
    assert result.files_landed == 0
    assert result.set_aside == []
    assert all((home.settings.landing / "generic" / name).exists() for name in names)


def test_an_unknown_ending_is_set_aside_with_the_known_ones(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.xlsx", "x")
    home.drop("generic/b.csv", HEADER + ROW)
    result = home.land()
    assert result.files_landed == 1
    ((name, reason),) = result.set_aside
    assert name == "generic/a.xlsx"
    assert ".parquet, .csv, .csv.gz, .tsv, .tsv.gz, .jsonl" in reason
    assert home.rows("select status, reason from raw.loads where file_name = 'a.xlsx'") == [
        ("set_aside", reason)
    ]


def test_a_file_set_aside_twice_keeps_both_copies(tmp_path):
    home = Home(tmp_path)
    for content in ("first", "second"):
        home.drop("generic/sub/a.txt", content)
        home.land()
    assert home.aside("generic/sub/a.txt").read_text() == "first"
    assert home.aside("generic/2/sub/a.txt").read_text() == "second"


def test_a_mended_file_lands_under_the_name_of_the_one_set_aside(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", "wrong,columns\n1,2\n")
    assert home.land().set_aside
    home.drop("generic/a.csv", HEADER + ROW)
    assert home.land().rows == 1


def test_an_unknown_folder_is_warned_of_with_the_one_that_was_meant(tmp_path):
    home = Home(tmp_path)
    home.drop("ga-4/a.csv", "x")
    home.drop("loose.csv", "x")
    result = home.land()
    assert len(result.warnings) == 2
    assert "landing/ga-4 is not read" in result.warnings[0]
    assert "did you mean ga4?" in result.warnings[0]
    assert "generic, ga4, snowplow, segment, ad_spend, orders" in result.warnings[1]


def test_an_empty_home_says_where_files_belong(tmp_path):
    home = Home(tmp_path / "new")
    home.land()
    assert str(home.settings.landing) in home.said[-1]
    assert "generic/" in home.said[-1]
    assert (home.settings.landing / "orders").is_dir()
    assert home.events("visitor_id") == []


def test_one_source_alone_can_be_landed(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("orders/a.csv", "order_id,value\n1,2\n")
    assert list(home.land("orders").sources) == ["orders"]
    assert home.events("visitor_id") == []
    with pytest.raises(IntentMapError, match=r"'order' is no source; known are generic, ga4"):
        home.land("order")


def test_any_file_name_lands_and_no_other_file_is_taken_for_it(tmp_path):
    home = Home(tmp_path)
    names = [
        *("it's.csv", 'quo"te.csv', "a b ümläut ß 日本.csv", "back\\slash.csv", "x" * 251 + ".csv"),
        *("year=2020.csv", "semi;colon,{x}.csv", "line\nbreak.csv"),
        # a pattern, and a file that it would match
        *("glob [1]*?.csv", "glob 1xx.csv"),
    ]
    for number, name in enumerate(names):
        home.drop(f"generic/{name}", HEADER + f"v{number},2026-01-05,x\n")
    home.land()
    assert sorted(home.events("file_name, visitor_id")) == sorted(
        (name, f"v{number}") for number, name in enumerate(names)
    )


def test_a_name_too_long_for_a_note_beside_it_is_still_set_aside(tmp_path):
    home = Home(tmp_path)
    name = "ü" * 125 + ".txt"
    home.drop(f"generic/{name}", "x")
    assert home.land().set_aside
    assert home.aside(f"generic/{name}").exists()
    assert len(list(home.aside("generic").iterdir())) == 2


def test_a_name_that_is_not_utf8_is_set_aside(tmp_path):
    home = Home(tmp_path)
    folder = home.settings.landing / "generic"
    folder.mkdir(parents=True)
    try:
        (folder / os.fsdecode(b"caf\xe9.csv")).write_text(HEADER + ROW)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert home.land().set_aside == [("generic/caf\\xe9.csv", "its name is not UTF-8; rename it")]


def test_a_home_with_spaces_umlauts_and_glob_characters_works(tmp_path):
    home = Home(tmp_path / "mein Häus [1]* 'x'")
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("generic/b.csv", HEADER + ROW + "broken\n")
    home.drop("generic/c.jsonl", [{"visitor_id": 1, "occurred_at": 1767607200, "event_name": "x"}])
    assert home.land().rows == 4


def test_links_are_followed_and_circles_and_loose_ends_are_survived(tmp_path):
    home = Home(tmp_path / "home")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text(HEADER + ROW)
    folder = home.settings.landing / "generic"
    folder.mkdir(parents=True)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "circle").symlink_to(folder)
    (folder / "loose.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.csv")
    result = home.land()
    assert home.events("file_name") == [("linked/a.csv",)]
    assert len([said for said in result.warnings if "leads nowhere" in said]) == 2


@pytest.mark.parametrize("target", ["..", "../..", "../../..", "../ga4", "../../warehouse"])
def test_a_link_to_other_parts_of_the_home_is_not_followed(tmp_path, target):
    home = Home(tmp_path / "home")
    home.drop("ga4/events.jsonl", [{"event_name": "x", "event_timestamp": 1767607200000000}])
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    (home.settings.landing / "generic" / "astray").symlink_to(target)
    result = home.land()
    (said,) = result.warnings
    assert said == "generic/astray: a link to other parts of the home; skipped."
    assert not result.set_aside
    assert home.settings.warehouse.exists()
    assert (home.settings.landing / "ga4" / "events.jsonl").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("target", ["/proc", "/proc/self/task", "/proc/self/environ", "/sys"])
def test_a_link_to_what_the_system_shows_of_itself_is_not_followed(tmp_path, target):
    home = Home(tmp_path / "home")
    home.drop("generic/a.csv", HEADER + ROW)
    (home.settings.landing / "generic" / "b.csv").symlink_to(target)
    result = home.land()
    assert result.warnings == ["generic/b.csv: a link to what the system shows of itself; skipped."]
    assert (result.rows, result.set_aside) == (1, [])


def test_a_source_that_lies_on_another_disk_is_read_there(tmp_path):
    home = Home(tmp_path / "home")
    (tmp_path / "disk" / "generic" / "day").mkdir(parents=True)
    (tmp_path / "disk" / "generic" / "day" / "a.csv").write_text(HEADER + ROW)
    home.settings.landing.mkdir(parents=True)
    (home.settings.landing / "generic").symlink_to(tmp_path / "disk" / "generic")
    (tmp_path / "disk" / "generic" / "again").symlink_to(tmp_path / "disk" / "generic" / "day")
    assert home.land().rows == 1


def test_what_cannot_even_be_looked_at_is_said_and_stops_nothing(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/b.csv", HEADER + ROW)
    (home.settings.landing / "generic" / "a.csv").symlink_to("a.csv")
    result = home.land()
    assert result.warnings == [
        "generic/a.csv: it cannot be looked at (Too many levels of symbolic links); skipped."
    ]
    assert result.rows == 1


def test_a_file_that_cannot_be_opened_is_set_aside_and_stops_nothing(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("generic/b.csv", HEADER + ROW.replace("v1", "v2"))

    def refuse(file):
        if file.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return landing_files.content_of(file)

    monkeypatch.setattr(landing_ahead, "content_of", refuse)
    result = home.land()
    assert result.set_aside == [("generic/a.csv", "it cannot be opened (Permission denied)")]
    assert home.events("visitor_id") == [("v2",)]


def test_a_file_that_cannot_be_moved_aside_is_skipped_and_said(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.txt", "x")
    home.drop("generic/b.csv", HEADER + ROW)

    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(landing_files.shutil, "move", refuse)
    result = home.land()
    assert result.set_aside == []
    ((name, reason),) = result.sources["generic"].skipped
    assert name == "a.txt"
    assert "could not be moved aside either (Permission denied)" in reason
    assert result.rows == 1
    assert not home.aside("generic/a.txt.reason.txt").exists()


def test_a_file_that_grows_while_it_is_read_waits_for_the_next_time(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    growing = home.drop("generic/b.csv", HEADER + ROW.replace("v1", "v2"))
    stage = landing_run.reading.stage

    times = []

    def stage_and_grow(*arguments, **options):
        times.append(1)
        if len(times) == 1:
            with growing.open("a") as opened:
                opened.write(ROW.replace("v1", "v3"))
        return stage(*arguments, **options)

    monkeypatch.setattr(landing_run.reading, "stage", stage_and_grow)
    result = home.land()
    assert home.events("visitor_id") == [("v1",)]
    assert "still being written" in result.sources["generic"].skipped[0][1]
    home.land()
    assert home.events("visitor_id") == [("v1",), ("v2",), ("v3",)]


def test_a_run_that_dies_leaves_no_rows_without_their_ledger_entry(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)

    def die(con, load):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(landing_warehouse.ledger, "write", die)
        with pytest.raises(KeyboardInterrupt):
            home.land()
    assert home.events("visitor_id") == []
    left = home.settings.warehouse.parent / "spill" / "mending_left"
    left.mkdir()
    assert home.land().rows == 1
    assert not left.exists()


def test_one_bad_file_among_many_stops_no_other(tmp_path):
    home = Home(tmp_path)
    for number in range(8):
        home.drop(f"generic/{number:02}.csv", HEADER + f"v{number},2026-01-05,x\n")
        home.drop_parquet(
            f"generic/{number:02}.parquet",
            f"select 'p{number}' as visitor_id, now() as occurred_at, 'x' as event_name",
        )
    bad = home.drop("generic/03.parquet", b"")
    home.drop_parquet(
        "generic/03.parquet",
        "select 'p' as visitor_id, now() as occurred_at, 'x' as event_name from range(5000)",
    )
    content = bytearray(bad.read_bytes())
    content[8:60] = b"\xff" * 52
    bad.write_bytes(content)
    home.drop("generic/05.csv", HEADER + "v5,2026-01-05,x\nv5,2026\n")
    result = home.land()
    assert [name for name, _ in result.set_aside] == ["generic/03.parquet"]
    assert result.files_landed == 15
    assert result.rows == 16


@pytest.mark.parametrize(
    "error", [duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), MemoryError()]
)
def test_memory_that_runs_out_skips_the_file_and_blames_nobody(tmp_path, monkeypatch, error):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)

    def run_out(*arguments, **options):
        raise error

    monkeypatch.setattr(landing_run.reading, "stage", run_out)
    result = home.land()
    assert result.set_aside == []
    assert "memory ran out" in result.sources["generic"].skipped[0][1]
    assert (home.settings.landing / "generic" / "a.csv").exists()


def test_a_full_disk_stops_the_run_with_a_sentence(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)

    def fill(*arguments, **options):
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    monkeypatch.setattr(landing_run.reading, "stage", fill)
    with pytest.raises(IntentMapError, match="is full; make room and run again"):
        home.land()


def test_an_inner_failure_of_duckdb_on_one_file_does_not_end_the_run(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("generic/b.jsonl", [{"visitor_id": 1, "occurred_at": 1767607200, "event_name": "x"}])
    stage = landing_run.reading.stage

    def fail(con, source, shape, *arguments, **options):
        if shape.format == "csv":
            con.close()
            raise duckdb.InternalException("INTERNAL Error: assertion failed")
        return stage(con, source, shape, *arguments, **options)

    monkeypatch.setattr(landing_run.reading, "stage", fail)
    result = home.land()
    assert "INTERNAL Error" in result.set_aside[0][1]
    assert result.rows == 1


def test_a_warehouse_open_elsewhere_is_named_with_the_process(tmp_path, monkeypatch):
    def held(*_):
        raise duckdb.IOException(
            'IO Error: Could not set lock on file "x": Conflicting lock is held in '
            "/usr/bin/python3 (PID 4999999). See also https://duckdb.org"
        )

    home = Home(tmp_path)
    monkeypatch.setattr(landing_warehouse.duckdb, "connect", held)
    with pytest.raises(IntentMapError, match=r"open in process 4999999 \(/usr/bin/python3\)"):
        home.land()


def test_a_home_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "home").write_text("a file, not a folder")
    with pytest.raises(IntentMapError, match="cannot be made"):
        Home(tmp_path / "home").land()


def test_a_landing_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(IntentMapError, match=r"landing cannot be read \(Permission denied\)"):
        Home(tmp_path).land()


def test_a_failing_warehouse_is_a_sentence_too(tmp_path, monkeypatch):
    def fail(*_):
        raise duckdb.IOException("IO Error: disk is gone.\nLINE 1: ...")

    home = Home(tmp_path)
    monkeypatch.setattr(landing_run.ledger, "read_known", fail)
    with pytest.raises(IntentMapError, match=r"failed: IO Error: disk is gone\. What landed"):
        home.land()


def test_an_older_table_gets_the_columns_that_were_declared_since(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    home.rows("alter table raw.generic_events drop column gbraid")
    home.rows("alter table raw.ga4_events alter column geo set data type struct(country varchar)")
    home.drop("generic/b.csv", "visitor_id,occurred_at,event_name,gbraid\nv2,2026-01-05,x,g\n")
    home.land()
    assert home.events("visitor_id, gbraid") == [("v1", None), ("v2", "g")]
    assert home.rows("select (geo).city from raw.ga4_events") == []


def test_the_listing_names_every_waiting_file_without_opening_the_warehouse(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/sub/a.csv", HEADER + ROW)
    home.drop("orders/b.csv.tmp", "x")
    listed = listing(home.settings.landing, ("generic", "orders"))
    assert [(source, name, size) for source, name, size, _ in listed] == [
        ("generic", "sub/a.csv", len(HEADER + ROW))
    ]
    assert not home.settings.warehouse.exists()


def _arrive(path, moment):
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def _week(home):
    """Files of three days, of two sources, whose names do not tell their order."""
    for day, name, rows in ((19, "generic/c.csv", 1), (18, "generic/d.jsonl", 2),
                            (18, "generic/x/a.csv", 3), (17, "generic/z.csv", 1)):  # fmt: skip
        row = {"visitor_id": "v", "occurred_at": f"2026-11-{day}T10:00:00", "event_name": name}
        text = HEADER + rows * f"v,2026-11-{day} 10:00:00,{name}\n"
        path = home.drop(name, [row] * rows if name.endswith("jsonl") else text)
        _arrive(path, datetime(2026, 11, day, 12, tzinfo=UTC))
    spend = home.drop("ad_spend/s.csv", "date,campaign,cost\n2026-11-18,a,1\n")
    _arrive(spend, datetime(2026, 11, 18, 9, tzinfo=UTC))


def _raw(home):
    # a slow machine notes by what it knows a file again, which is its place on the disk too
    own = {"loads": "landed_at, file_mark"}
    return {
        table: home.rows(
            f"select * exclude ({own.get(table, 'landed_at')}) from raw.{table} order by all"
        )
        for table in ("generic_events", "ad_spend", "loads")
    }


def test_a_backfill_of_days_lands_what_nights_in_order_would_have(tmp_path):
    nights, backfill = Home(tmp_path / "nights"), Home(tmp_path / "backfill")
    _week(nights)
    _week(backfill)
    waiting = {path: path.read_bytes() for path in nights.settings.landing.rglob("*.*")}
    times = {path: path.stat().st_mtime_ns for path in waiting}
    for path in waiting:
        path.unlink()
    for day in (17, 18, 19):
        for path, content in waiting.items():
            if datetime.fromtimestamp(times[path] / 1e9, UTC).day == day:
                path.write_bytes(content)
                os.utime(path, ns=(times[path], times[path]))
        nights.land()
    days = [date(2026, 11, day) for day in range(1, 31)]
    result = land_days(backfill.settings, days, report=backfill.said.append)
    assert _raw(backfill) == _raw(nights)
    assert result.rows == 8
    assert result.sources["generic"].rows_of_day == {days[16]: 1, days[17]: 5, days[18]: 1}
    # and again changes nothing
    assert land_days(backfill.settings, days, report=lambda _: None).rows == 0
    assert _raw(backfill) == _raw(nights)


def test_only_the_files_of_the_chosen_day_are_landed(tmp_path):
    home = Home(tmp_path)
    _week(home)
    result = land_days(home.settings, [date(2026, 11, 18)], report=home.said.append)
    assert sorted(result.sources["generic"].landed) == ["d.jsonl", "x/a.csv"]
    assert result.sources["ad_spend"].landed == ["s.csv"]
    land_days(home.settings, [date(2026, 11, 20)], report=home.said.append)
    assert home.said[-1] == "No file in the landing folders arrived on these days."
    # a night lands the rest
    assert sorted(home.land().sources["generic"].landed) == ["c.csv", "z.csv"]


def test_the_day_of_arrival_is_one_of_the_reporting_time_zone(tmp_path):
    home = Home(tmp_path, reporting_time_zone="America/New_York")
    path = home.drop("generic/a.csv", HEADER + ROW)
    _arrive(path, datetime(2026, 11, 20, 3, tzinfo=UTC))
    assert land_days(home.settings, [date(2026, 11, 20)], report=lambda _: None).rows == 0
    assert land_days(home.settings, [date(2026, 11, 19)], report=lambda _: None).rows == 1
    assert home.rows("select arrived_at from raw.loads") == [(datetime(2026, 11, 20, 3),)]


def test_the_columns_of_each_file_are_noted_as_it_has_them(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", "Visitor_ID, occurred_at,event_name,Colour\nv,2026-01-05,x,red\n")
    home.drop("generic/b.csv", HEADER + ROW)
    event = {"visitor_id": "v1", "occurred_at": "2026-01-05 10:00:00", "event_name": "x"}
    home.drop("generic/c.jsonl", [event, {**event, "size": 3}])
    home.drop("generic/d.jsonl", [event])
    home.drop_parquet(
        "generic/e.parquet", "select 'v' visitor_id, now() occurred_at, 'x' Event_Name"
    )
    home.land()
    needed = ["event_name", "occurred_at", "visitor_id"]
    assert home.rows("select file_name, file_columns from raw.loads order by file_name") == [
        ("a.csv", ["colour", *needed]),
        ("b.csv", needed),
        ("c.jsonl", ["event_name", "occurred_at", "size", "visitor_id"]),
        ("d.jsonl", needed),
        ("e.parquet", needed),
    ]


@pytest.fixture
def hashed(monkeypatch):
    """The names of the files whose bytes were read to hash them; files count as settled at once."""
    names = []

    def content_of(file):
        names.append(file.name)
        return landing_files.content_of(file)

    monkeypatch.setattr(landing_ahead, "content_of", content_of)
    monkeypatch.setattr(landing_files, "SETTLED_SECONDS", 0)
    return names


def test_a_known_file_is_not_read_again(tmp_path, hashed):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop("generic/copy.csv", HEADER + ROW)
    home.land()
    hashed.clear()
    home.drop("generic/b.csv", HEADER + ROW.replace("v1", "v2"))
    result = home.land()
    assert hashed == ["b.csv"]
    assert result.sources["generic"].unchanged == 2


def test_a_file_of_equal_size_and_time_is_read_again(tmp_path, hashed):
    home = Home(tmp_path)
    path = home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    before = path.stat()
    path.write_text(HEADER + ROW.replace("v1", "v2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert "its content changed since it landed" in str(home.land().set_aside)


def test_a_file_that_was_moved_and_put_back_is_read_once_more(tmp_path, hashed):
    home = Home(tmp_path)
    path = home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    path.write_bytes(path.read_bytes())
    hashed.clear()
    for _ in range(2):
        assert home.land().sources["generic"].unchanged == 1
    assert hashed == ["a.csv"]


def test_a_file_that_was_just_written_is_not_known_by_its_times(tmp_path, hashed, monkeypatch):
    monkeypatch.setattr(landing_files, "SETTLED_SECONDS", 3600)
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    home.land()
    assert hashed == ["a.csv", "a.csv"]
    assert home.rows("select file_mark from raw.loads") == [(None,)]
