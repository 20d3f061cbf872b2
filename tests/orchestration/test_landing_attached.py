"""A source without files: a table of an attached DuckDB file, read in place."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from test_landing_home import HEADER, ROW, Home

from orchestration.errors import IntentMapError
from orchestration.health import look
from orchestration.landing import attach_sql, attached_sources, attachments

EVENTS = """
    create or replace table main.events as
    select 'v' || n as visitor_id, timestamptz '2026-01-05 12:00:00+02' as "Occurred_At",
        'page_view' as event_name, 12.5::double as value, n as price, '' as campaign,
        timestamp '2026-01-06' + to_hours(n // 2) as _loaded_at
    from range(4) as t(n)
"""


class Shop:
    """A DuckDB file that another loader keeps up, and a home that reads it."""

    def __init__(self, folder: Path, statement: str = EVENTS, **entry: str) -> None:
        self.path = folder / "der Shop's.duckdb"
        self.run(statement)
        source = entry.pop("source", "generic")
        self.entry = {"database": str(self.path), "table": "events", "arrival_column": "_loaded_at"}
        self.home = Home(folder / "home", attached_sources={source: self.entry | entry})

    def run(self, statement: str) -> None:
        with duckdb.connect(str(self.path)) as con:
            con.execute(statement)

    def read(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.home.settings.warehouse)) as con:
            con.execute("set TimeZone = 'UTC'")
            for statement in attach_sql(self.home.settings):
                con.execute(statement)
            return con.execute(query).fetchall()


def without_attached(home: Home) -> Home:
    return Home(home.settings.home)


def test_an_attached_table_is_read_by_the_same_rules_as_a_file(tmp_path):
    shop = Shop(tmp_path)
    result = shop.home.land()
    assert result.sources["generic"].rows == 4
    columns = "visitor_id, occurred_at, value, properties, campaign, unreadable"
    in_place = shop.read(f"select {columns} from raw.generic_events order by row_number")
    home = Home(tmp_path / "other")
    path = home.drop("generic/a.parquet", b"")
    shop.run(f"copy (select * exclude (_loaded_at) from events) to '{path}'")
    home.land()
    assert home.events(columns) == in_place
    assert in_place[1] == ("v1", datetime(2026, 1, 5, 10), 12.5, '{"price":1}', None, None)


def test_load_id_and_landed_at_are_the_arrival_and_row_numbers_stay(tmp_path):
    shop = Shop(tmp_path)
    shop.home.land()
    rows = shop.read(
        "select load_id, landed_at, row_number, file_name from raw.generic_events order by 3"
    )
    assert rows[0] == (1767657600000000, datetime(2026, 1, 6), 1, "attached_generic.events")
    assert rows[3] == (1767661200000000, datetime(2026, 1, 6, 1), 4, "attached_generic.events")


def test_each_night_notes_what_arrived_since_and_the_table_stays_untouched(tmp_path):
    shop = Shop(tmp_path)
    shop.home.land()
    assert shop.home.land().sources["generic"].rows == 0
    shop.run(
        "insert into events select * replace (timestamp '2026-02-01' as _loaded_at) from events"
    )
    before = shop.path.read_bytes()
    assert shop.home.land().sources["generic"].rows == 4
    assert shop.path.read_bytes() == before
    assert shop.read("select status, row_count from raw.loads order by load_id") == [
        *(("attached", 4), ("attached", 4))
    ]


def test_files_of_an_attached_source_are_left_alone_with_a_warning(tmp_path):
    shop = Shop(tmp_path)
    path = shop.home.drop("generic/a.csv", HEADER + ROW)
    result = shop.home.land()
    assert "landing/generic holds 1 file not read" in result.warnings[0]
    assert path.exists()


def test_other_sources_still_land_files_beside_an_attached_one(tmp_path):
    shop = Shop(tmp_path)
    shop.home.drop("orders/a.csv", "order_id,value\n1,2\n")
    shop.home.land()
    assert shop.read("select order_id, load_id from raw.orders") == [("1", 1)]
    shop.home.drop("orders/b.csv", "order_id,value\n2,2\n")
    shop.home.land()
    # above every load before, of the attached table too, so a watermark never hides a file
    assert shop.read("select load_id > 1767661200000000 from raw.orders where order_id = '2'") == [
        (True,)
    ]


def test_rows_without_an_arrival_time_are_said_and_not_lost_to_a_full_refresh(tmp_path):
    shop = Shop(tmp_path)
    shop.run("update events set _loaded_at = null where visitor_id = 'v0'")
    result = shop.home.land()
    assert "1 rows of main.events" in result.warnings[0]
    assert shop.read("select load_id from raw.generic_events where visitor_id = 'v0'") == [(0,)]


@pytest.mark.parametrize(
    "arrival", ["timestamptz '2026-01-06 01:00:00+01'", "'2026-01-06T00:00:00Z'", "1767657600000"]
)
def test_the_arrival_column_may_have_any_type_that_is_a_time(tmp_path, arrival):
    shop = Shop(tmp_path, EVENTS.replace("timestamp '2026-01-06' + to_hours(n // 2)", arrival))
    shop.home.land()
    assert shop.read("select distinct load_id, landed_at from raw.generic_events") == [
        (1767657600000000, datetime(2026, 1, 6))
    ]


def test_ga4_can_be_attached_too(tmp_path):
    statement = """
        create schema raw; create table raw."ga4 events" as
        select 'x' as event_name, 1767614400000000 as event_timestamp, now() as at,
            [{'key': 'a', 'value': {'int_value': 1}}] as event_params
    """
    shop = Shop(tmp_path, statement, source="ga4", table="raw.ga4 events", arrival_column="AT")
    shop.home.land()
    assert shop.read("select event_params[1].value.int_value from raw.ga4_events") == [(1,)]


def test_several_tables_of_one_source_are_read_as_one_with_row_numbers_of_their_own(tmp_path):
    statement = """
        create table pages as select 'p' as id, timestamp '2026-01-05 10:00' as timestamp,
            'v' as anonymous_id, '/a' as path, timestamp '2026-01-06' as uuid_ts from range(2);
        create schema shop;
        create table shop.order_completed as select 'o' as id, 'order_completed' as event,
            '2026-01-05T11:00:00Z' as timestamp, '12.50' as revenue, 'v' as anonymous_id,
            timestamp '2026-01-06' as uuid_ts
    """
    tables = ["pages", "shop.order_completed"]
    shop = Shop(tmp_path, statement, source="segment", table=tables, arrival_column="uuid_ts")
    assert shop.home.land().sources["segment"].rows == 3
    columns = "id, row_number, file_name, revenue, properties, load_id = 1767657600000000"
    assert shop.read(f"select {columns} from raw.segment_events order by row_number") == [
        ("p", 1, "attached_segment.pages", None, '{"path":"/a"}', True),
        ("p", 2, "attached_segment.pages", None, '{"path":"/a"}', True),
        ("o", 1_000_000_000_001, "attached_segment.order_completed", 12.5, None, True),
    ]
    assert shop.read("select file_name, row_count from raw.loads") == [
        ("attached_segment.pages, attached_segment.order_completed", 3)
    ]


def test_an_arrival_column_that_the_source_declares_stays_a_column(tmp_path):
    statement = """
        create table events as select 'e' as event_id, 'page_view' as event,
            timestamp '2026-01-05 10:00' as collector_tstamp, timestamp '2026-01-06' as load_tstamp
    """
    shop = Shop(tmp_path, statement, source="snowplow", arrival_column="load_tstamp")
    shop.home.land()
    assert shop.read("select load_tstamp, landed_at, properties from raw.snowplow_events") == [
        (datetime(2026, 1, 6), datetime(2026, 1, 6), None)
    ]


def test_the_var_taken_away_gives_an_empty_table_for_files_again(tmp_path):
    shop = Shop(tmp_path)
    shop.home.land()
    home = without_attached(shop.home)
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    assert "no longer names a table" in home.said[0]
    assert home.events("visitor_id, load_id > 1767661200000000") == [("v1", True)]


def test_a_table_that_holds_landed_rows_is_never_replaced_by_a_view(tmp_path):
    shop = Shop(tmp_path)
    home = without_attached(shop.home)
    home.drop("generic/a.csv", HEADER + ROW)
    home.land()
    with pytest.raises(IntentMapError, match=r"raw.generic_events already holds rows .* \(1\)"):
        shop.home.land()
    assert home.events("visitor_id") == [("v1",)]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"database": "/nowhere/events.duckdb"}, "there is no file /nowhere/events.duckdb"),
        ({"database": "events.duckdb"}, "database is 'events.duckdb'; give an absolute path"),
        ({"table": "events_2"}, r"there is no table main.events_2 .*tables there: main.events"),
        ({"table": "a.b.c"}, "write it as schema.table"),
        ({"arrival_column": "at"}, r"has no arrival column 'at' \(found: visitor_id"),
        ({"source": "ga4"}, "it lacks the needed columns event_timestamp|event_timestamp"),
        ({"source": "matomo"}, "names the source 'matomo'; known are generic"),
        ({"table": ["events", "more"]}, "there is no table main.more"),
        ({"table": ["events", ""]}, "table must be a text"),
        ({"table": []}, "table must be a text"),
        ({"schema": "main"}, "needs exactly database, table, arrival_column, as in"),
    ],
)
def test_a_wrong_entry_of_the_var_is_named(tmp_path, entry, sentence):
    shop = Shop(tmp_path, **entry)
    with pytest.raises(IntentMapError, match=sentence):
        shop.home.land()


def test_a_connection_with_a_password_is_not_shown(tmp_path):
    shop = Shop(tmp_path, database="postgres:host=shop password=opensesame")
    with pytest.raises(IntentMapError, match="database is no path; give an absolute path") as said:
        shop.home.land()
    assert "opensesame" not in str(said.value)


@pytest.mark.parametrize("name", ["rowid", "__row", "ROWID"])
def test_a_column_that_would_be_taken_for_the_number_of_the_row_is_named(tmp_path, name):
    shop = Shop(tmp_path, EVENTS.replace("n as price", f'1 as "{name}"'))
    with pytest.raises(IntentMapError, match=f"has a column {name}, a name that the number of"):
        shop.home.land()


def test_a_database_that_is_none_is_said(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n")
    shop = Shop(tmp_path, database=str(tmp_path / "x.csv"))
    with pytest.raises(IntentMapError, match=r"x\.csv is not a DuckDB file"):
        shop.home.land()


def test_a_file_held_by_its_loader_is_named_with_the_process(tmp_path):
    shop = Shop(tmp_path)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(shop.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as loader:
        loader.stdout.readline()
        try:
            held = rf"open for writing in process {loader.pid} \(.*import duckdb, sys.*\)"
            with pytest.raises(IntentMapError, match=held):
                shop.home.land()
            severity, sentence = status_of(shop)
            assert severity == "ok"
            assert re.search(held, sentence)
        finally:
            loader.stdin.close()


def status_of(shop: Shop) -> tuple[str, str]:
    (one,) = [found for found in look(shop.home.settings) if found.name == "attached"]
    assert one.subject == "generic"
    return one.severity, one.sentence


def test_status_says_whether_the_next_run_can_read_it(tmp_path):
    shop = Shop(tmp_path)
    assert status_of(shop) == ("ok", f"main.events in {shop.path} can be read.")
    shop.home.land()
    assert status_of(shop)[0] == "ok"
    shop.run("alter table events rename column _loaded_at to came_at")
    severity, sentence = status_of(shop)
    assert severity == "error"
    assert "has no arrival column '_loaded_at'" in sentence
    shop.run("alter table events rename to acts")
    assert "there is no table main.events in" in status_of(shop)[1]
    shop.path.unlink()
    assert status_of(shop)[0] == "error"
    assert "there is no file" in status_of(shop)[1]


def test_the_profile_gets_what_it_needs_to_attach(tmp_path):
    shop = Shop(tmp_path)
    assert attachments(shop.home.settings) == [
        {"path": str(shop.path), "alias": "attached_generic", "read_only": True}
    ]
    assert attach_sql(shop.home.settings)[0].endswith("as attached_generic (read_only)")
    assert attached_sources(Home(tmp_path).settings) == {}
