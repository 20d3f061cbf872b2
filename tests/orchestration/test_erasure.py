"""Who is erased, what of files and tables goes, and that a killed erasure ends the same."""

import contextlib
import csv
import gzip
import json
import re
import shutil
import sqlite3
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterEventType, DagsterInstance
from pipeline.home_search import places_that_hold
from test_landing_home import Home

from orchestration import compaction, erasure
from orchestration.defs.upkeep import ERASE, RETENTION, build_upkeep_jobs
from orchestration.erasure import erase_users
from orchestration.erasure import files as erasure_files
from orchestration.erasure.ids import ZEROS, Ids, Mentions, read_ids
from orchestration.errors import IntentMapError
from orchestration.landing import kept, mending
from orchestration.publishing.places import PARQUET_VERSIONS
from orchestration.settings import PROJECT_ROOT
from orchestration.sources import PLACEHOLDERS

GONE = "(device|login)-gone"
AT = "2026-01-05 10:00:00"


def event(visitor, user=None, **columns):
    row = {"visitor_id": visitor, "user_id": user, "occurred_at": AT, "event_name": "page_view"}
    return {name: value for name, value in (row | columns).items() if value is not None}


def ids_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ids.txt"
    path.write_text(text, encoding="utf-8")
    return path


def erase(home: Home, tmp_path: Path, text: str = "login-gone\n") -> erasure.Receipt:
    home.said.clear()
    return erase_users(home.settings, ids_file(tmp_path, text), report=home.said.append)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Of each source and format a file with rows of two people, one of them to be erased."""
    home = Home(tmp_path_factory.mktemp("built"))
    gone, stays = "device-gone", "device-stays"
    csv = "visitor_id,user_id,occurred_at,event_name,page_url\n"
    home.drop(
        "generic/a.csv",
        csv + f'{stays},,{AT},page_view,"two\nlines"\n{gone},,{AT},page_view,"/x?u=login-gone"\n'
        f"{gone},login-gone,{AT},login,\n,,{AT},page_view,/no/visitor?v=device-gone\n"
        f"{stays},login-stays,{AT},login,\ndevice-gone broken row\n",
    )
    traits = {"traits": {"id": "login-gone"}}
    home.drop("generic/b.csv.gz", csv.replace(",", ";") + f"{gone};;{AT};scroll;\n")
    home.drop("generic/c.jsonl", [event(stays, n=1), event("device-gone2", "login-gone", **traits)])
    home.drop("generic/d.json.gz", [event(gone), event(stays)])
    parquet = "select col0 as visitor_id, col1 as user_id, timestamp '2026-01-05' as "
    parquet += "occurred_at, 'page_view' as event_name, col2 as page_url from (values {}) "
    many = ", ".join(f"('{(gone, stays)[n % 2]}', null, '/{n}')" for n in range(10))
    home.drop_parquet("generic/e.parquet", parquet.format(many))
    home.drop(
        "snowplow/a.jsonl",
        [
            {"event_id": "1", "collector_tstamp": AT, "event": "page_view", "domain_userid": gone,
             "contexts_own_1": [{"login": "login-gone"}]},
            {"event_id": "2", "collector_tstamp": AT, "event": "page_view", "network_userid": gone},
            {"event_id": "3", "collector_tstamp": AT, "event": "page_view", "domain_userid": stays},
        ],
    )  # fmt: skip
    session = "contexts_com_snowplowanalytics_snowplow_client_session_1"
    app = {"collector_tstamp": AT, "event": "page_view", "network_userid": "proxy"}
    home.drop(
        "snowplow/app.jsonl",
        [
            {**app, "event_id": "4", session: {"userId": gone, "sessionId": "s"}},
            {**app, "event_id": "5", session: [{"userId": stays, "sessionId": "s"}]},
            {**app, "event_id": "6"},
            {**app, "event_id": "11", "domain_userid": ZEROS, "network_userid": gone,
             session: [{"userId": ZEROS}]},
        ],
    )  # fmt: skip
    cell = '[{{""userId"":""{}""}}]'.format
    home.drop(
        "snowplow/app.csv",
        f"event_id,collector_tstamp,event,network_userid,{session}_0_2\n"
        f'7,{AT},page_view,proxy,"{cell(gone)}"\n8,{AT},page_view,proxy,"{cell(stays)}"\n',
    )
    home.drop_parquet(
        "snowplow/app.parquet",
        "select col0 as event_id, timestamp '2026-01-05' as collector_tstamp, 'page_view' as "
        f"event, 'proxy' as network_userid, [{{'user_id': col1}}] as {session} "
        f"from (values ('9', '{gone}'), ('10', '{stays}'))",
    )
    home.drop(
        "segment/identifies.jsonl",
        [
            {"id": "1", "timestamp": AT, "anonymous_id": gone, "user_id": "login-gone", **traits},
            {"id": "2", "timestamp": AT, "user_id": "login-gone"},
            {"id": "3", "timestamp": AT, "anonymous_id": stays},
        ],
    )
    value = {"string_value": "login-gone"}
    home.drop(
        "ga4/a.jsonl",
        [
            {"event_name": "page_view", "event_timestamp": 1767614400000000, "user_pseudo_id": gone,
             "event_params": [{"key": "own", "value": value}],
             "user_properties": [{"key": "crm", "value": value}]},
            {"event_name": "page_view", "event_timestamp": 1767614400000000,
             "privacy_info": {"analytics_storage": "No"}, "user_id": "login-gone"},
            {"event_name": "page_view", "event_timestamp": 1767614400000000,
             "user_pseudo_id": stays},
        ],
    )  # fmt: skip
    home.drop("orders/a.csv", "order_id,value,customer\nO1,5,login-gone\nO2,6,login-stays\n")
    home.drop("generic/f.txt", f"{gone} in a file of unknown ending\nnobody\n")
    home.drop("generic/g.jsonl.gz", gzip.compress(b'{"visitor_id": "device-gone"}')[:-9])
    home.drop("generic/h.csv", "visitor_id,occurred_at,event_name\ndevice-gone is no row\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kept, "KEPT_FROM_BYTES", 1)
        home.land()
    trace(home.settings.home)
    return home.settings.home


@pytest.fixture
def home(built, tmp_path) -> Home:
    shutil.copytree(built, tmp_path / "home")
    return Home(tmp_path / "home")


def trace(folder: Path) -> None:
    """What runs leave behind: logs, and Dagster's storage."""
    for name in ("logs/error.log", "dagster/logs/runs.log", "dbt/nightly/compiled/model.sql"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a line\nno such id: 'device-gone'.\n", encoding="utf-8")
    (folder / "dagster" / "history").mkdir()
    con = sqlite3.connect(folder / "dagster" / "history" / "runs.db")
    con.execute("pragma journal_mode = wal")
    con.execute("create table event_logs (id integer primary key, event text, at float)")
    said = json.dumps({"message": "row of device-gone and login-gone refused"})
    con.executemany("insert into event_logs (event, at) values (?, 1.5)", [(said,), ("{}",)] * 50)
    con.execute("delete from event_logs where id < 20")
    con.commit()
    con.close()


def rows_of(home: Home) -> list[tuple]:
    tables = ("generic", "ga4", "snowplow", "segment")
    return home.rows(
        " union all ".join(
            f"select '{name}' as source, load_id, row_number from raw.{name}_events"
            for name in tables
        )
        + " order by all"
    )


def test_nothing_of_a_person_is_left_in_any_file_of_the_home(home, tmp_path):
    held = {place.split(" ")[0] for place in places_that_hold(home.settings.home, GONE)}
    # the search finds what there is: each source, kept and set aside, logs and Dagster's storage
    assert {
        *("landing/generic/a.csv", "landing/generic/b.csv.gz", "landing/generic/e.parquet"),
        *("landing/generic/c.jsonl", "landing/generic/d.json.gz", "landing/snowplow/a.jsonl"),
        *("landing/snowplow/app.csv", "landing/snowplow/app.jsonl", "landing/snowplow/app.parquet"),
        *("landing/segment/identifies.jsonl", "landing/ga4/a.jsonl", "landing/orders/a.csv"),
        *("landing/_set_aside/generic/f.txt", "landing/_set_aside/generic/h.csv.reason.txt"),
        *("logs/error.log", "dagster/history/runs.db", "dbt/nightly/compiled/model.sql"),
        "warehouse/intent_map.duckdb",
    } <= held
    assert any(place.startswith("warehouse/raw/generic/load_id=") for place in held)
    receipt = erase(home, tmp_path)
    assert places_that_hold(home.settings.home, GONE) == {}
    assert (receipt.visitors, receipt.users, receipt.other_users_met) == (3, 1, 0)
    assert receipt.raw_rows == {"generic": 12, "ga4": 2, "snowplow": 6, "segment": 2}
    assert [name.split(" ")[0] for name in receipt.files_removed] == [
        "_set_aside/generic/g.jsonl.gz"
    ]
    assert receipt.files_left == []
    assert "gone" not in " ".join(home.said)
    (noted,) = (home.settings.home / "erasures").iterdir()
    assert "gone" not in noted.read_text(encoding="utf-8")


def test_what_is_published_then_is_written_whole(home, tmp_path, monkeypatch):
    """Or the person would stay in blocks of the served file that rows have left."""
    (home.settings.serving / PARQUET_VERSIONS).mkdir(parents=True)
    published = []
    monkeypatch.setattr(erasure, "publish", lambda *_, **how: published.append(how))
    monkeypatch.setattr(erasure, "write_dashboard", lambda *_: published.append("page"))
    erase(home, tmp_path)
    assert published == [{"whole": True}, "page"]


def test_rows_of_others_stay_with_their_numbers_and_files_stay_readable(home, tmp_path):
    before = rows_of(home)
    stay = home.rows(
        "select * exclude (landed_at) from raw.generic_events where visitor_id = 'device-stays' "
        "order by load_id, row_number"
    )
    erase(home, tmp_path)
    assert set(rows_of(home)) < set(before)
    assert stay == home.rows(
        "select * exclude (landed_at) from raw.generic_events order by load_id, row_number"
    )
    landing = home.settings.landing
    assert (landing / "generic/a.csv").read_text(encoding="utf-8") == (
        f'visitor_id,user_id,occurred_at,event_name,page_url\ndevice-stays,,{AT},page_view,"two\n'
        f'lines"\ndevice-stays,login-stays,{AT},login,\n'
    )
    assert (landing / "orders/a.csv").read_text(encoding="utf-8").endswith("\nO2,6,login-stays\n")
    # raw, less what was taken out of it, is what the ledger says of each load
    assert not home.rows(
        "with removed as (select load_id, sum(row_count) as n from raw.removals group by 1), "
        "held as (select load_id, count(*) as n from raw.generic_events group by 1) "
        "select load_id from raw.loads left join held using (load_id) "
        "left join removed using (load_id) where source = 'generic' "
        "and row_count <> coalesce(held.n, 0) + coalesce(removed.n, 0)"
    )


def test_nobody_comes_back_when_files_lie_there_or_are_dropped_again(home, tmp_path):
    originals = tmp_path / "originals"
    shutil.copytree(home.settings.landing, originals)
    erase(home, tmp_path)
    rows = rows_of(home)
    result = home.land()
    assert (result.files_landed, result.set_aside) == (0, [])
    for source in ("generic", "ga4", "snowplow", "segment"):
        for path in (originals / source).iterdir():
            if path.is_file():
                shutil.copy(path, home.settings.landing / source / path.name)
                shutil.copy(path, home.settings.landing / source / f"again_{path.name}")
    result = home.land()
    assert (result.files_landed, result.set_aside) == (0, [])
    assert rows_of(home) == rows


@pytest.mark.parametrize(
    "step",
    ["erase_from_landing", "_note", "removal", "compact_warehouse"],
)
def test_an_erasure_killed_at_any_step_ends_the_same_when_it_is_run_again(
    home, tmp_path, monkeypatch, step
):

    class Killed(BaseException):
        pass

    place = erasure_files if step == "_note" else erasure
    original = getattr(place, step) if step != "removal" else erasure.removal.forget_rules
    calls = []

    def killed(*arguments, **_):
        calls.append(step)
        if step == "_note" and len(calls) < 3:
            return original(*arguments)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        if step == "removal":
            patched.setattr(erasure.removal, "forget_rules", killed)
        else:
            patched.setattr(place, step, killed)
        erase(home, tmp_path)
    # a night lands in between
    home.land()
    erase(home, tmp_path)
    assert places_that_hold(home.settings.home, GONE) == {}
    assert len(rows_of(home)) == 16
    assert home.land().files_landed == 0


def test_a_person_is_a_login_with_all_its_visitors_and_no_more(tmp_path):
    home = Home(tmp_path / "home")
    rows = [event("phone", "anna-login"), event("laptop", "anna-login"), event("laptop")]
    rows += [event("laptop", "bert-login"), event("tablet", "bert-login"), event("kiosk", "guest")]
    rows += [event("kiosk", "0"), event("lonely")]
    home.drop("generic/a.jsonl", rows)
    home.land()
    receipt = erase(home, tmp_path, "anna-login\n")
    # the laptop was bert's too: his rows there went, the rest of him stays
    assert receipt.other_users_met == 1
    assert home.rows("select visitor_id from raw.generic_events order by 1") == [
        ("kiosk",), ("kiosk",), ("lonely",), ("tablet",)
    ]  # fmt: skip
    erase(home, tmp_path, "kind,id\nvisitor,tablet\nuser,lonely\n")
    assert home.rows("select distinct visitor_id from raw.generic_events order by 1") == [
        ("kiosk",),
        ("lonely",),
    ]


def test_where_rows_are_retired_the_people_leave_the_tables_by_key(home, monkeypatch):
    columns = "source_system, load_id, row_number, outcome, event_key, visitor_key, user_id"
    columns += ", occurred_at, sequence"
    home.rows("create schema intermediate")
    home.rows(
        f"create table intermediate.int_event_receipts as from (values "
        "('generic', 90, 1, 'accepted', 1, 7, null, null, 0), "
        "('generic', 91, 1, 'duplicate', 1, null, null, null, 0), "
        "('generic', 91, 2, 'refused', 2, null, null, null, 0), "
        "('generic', 91, 3, 'accepted', 3, 8, null, null, 0), "
        # another person's, who came under the same event id: raw has it
        "('generic', 1, 1, 'duplicate', 1, null, null, null, 0), "
        # retired, so that its row tells no more whose login it was
        "('generic', 92, 1, 'accepted', 5, 9, 'login-gone', null, 0), "
        "('generic', 92, 2, 'accepted', 6, 9, null, null, 0), "
        f"('generic', 1, 2, 'refused', 4, null, null, null, 0)) as t({columns})"
    )
    home.rows(
        "create table intermediate.int_all_sessions as from (values "
        "(7, 'device-gone'), (8, 'device-stays'), (9, 'device-old')) as t(visitor_key, visitor_id)"
    )
    home.rows("create table intermediate.sums as select event_key from range(1, 7) as t(event_key)")
    home.rows("create table intermediate.agents (user_agent varchar)")
    home.rows("insert into intermediate.agents values ('App/1 (device-gone)'), ('Firefox')")
    home.rows("insert into raw.removals values ('generic', 1, 1, 'retired', now()::timestamp)")
    home.rows("insert into raw.tested values ('sums', null, 1), ('others', null, 1)")
    names = ("int_event_receipts", "int_all_sessions", "sums", "agents")
    readers = [("intermediate", name) for name in names]
    monkeypatch.setattr(erasure, "_readers_of_raw", lambda _: readers)
    monkeypatch.setattr(erasure.dbt_runner, "load_manifest", lambda _: {})
    warehouse = erasure.Warehouse(home.settings, report=lambda _: None)
    warehouse.open()
    people = erasure.find_people(warehouse, Ids(frozenset(), frozenset(["login-gone"])))
    erasure._erase_from_readers(home.settings, warehouse.con, Mentions(people.ids.all))
    warehouse.close()
    # what is left of a refused row that is gone names nobody
    left = home.rows("select load_id, event_key from intermediate.int_event_receipts order by all")
    assert left == [(1, 1), (91, 2), (91, 3)]
    assert home.rows("from intermediate.agents") == [("Firefox",)]
    assert home.rows("from intermediate.sums") == [(2,), (3,), (4,)]
    assert home.rows("select visitor_id from intermediate.int_all_sessions") == [("device-stays",)]
    assert home.rows("select model from raw.tested") == [("others",)]


@pytest.mark.parametrize("reason", ["retired", "given_up"])
def test_where_rows_are_retired_nobody_is_erased_under_other_rules(
    home, tmp_path, monkeypatch, reason
):
    readers = [("intermediate", "int_event_receipts")]
    monkeypatch.setattr(erasure, "_readers_of_raw", lambda _: readers)
    monkeypatch.setattr(erasure.dbt_runner, "prepare_manifest", lambda *_, **__: None)
    monkeypatch.setattr(erasure.dbt_runner, "load_manifest", lambda _: {})
    monkeypatch.setattr(erasure.fingerprint, "current", lambda *_: {"business files": "new"})
    home.rows("create table raw.build_state (name varchar, value varchar)")
    note = '{"business files": "old"}'
    home.rows(f"insert into raw.build_state values ('int_event_receipts', '{note}')")
    home.rows(f"insert into raw.removals values ('generic', 1, 1, '{reason}', now()::timestamp)")
    rows = home.rows("select count(*) from raw.generic_events")
    if reason == "given_up":
        assert erase(home, tmp_path).raw_rows
        return
    with pytest.raises(IntentMapError, match=r"built the business files changed.* wrong numbers"):
        erase(home, tmp_path)
    assert home.rows("select count(*) from raw.generic_events") == rows
    home.rows("update raw.build_state set value = replace(value, 'old', 'new')")
    erasure._refuse_under_other_rules(home.settings)


@pytest.fixture
def built_and_published(monkeypatch) -> list[str]:
    """What an erasure does with dbt, noted and not done; readers of raw are those of the tables
    that old_tables makes."""
    done: list[str] = []
    readers = [("intermediate", name) for name in ("int_event_receipts", "int_all_sessions")]
    monkeypatch.setattr(erasure, "_refuse_under_other_rules", lambda _: None)
    monkeypatch.setattr(erasure, "_build", lambda *_: done.append("built"))
    monkeypatch.setattr(erasure, "publish", lambda *_, **__: done.append("published"))
    monkeypatch.setattr(erasure, "write_dashboard", lambda *_: done.append("page"))
    monkeypatch.setattr(erasure, "_empty_what_the_night_does_not_build", lambda *_: 0)
    monkeypatch.setattr(erasure.dbt_runner, "load_manifest", lambda _: {})
    monkeypatch.setattr(erasure, "_readers_of_raw", lambda _: readers)
    return done


def old_tables(home: Home) -> None:
    """What is left in tables of three people, of whom raw has no row any more."""
    (home.settings.serving / PARQUET_VERSIONS).mkdir(parents=True)
    home.rows(
        "create schema intermediate; create table intermediate.int_event_receipts as from (values "
        "('generic', 90, 1, 'accepted', 1, 7, null, null, 0), "
        "('generic', 90, 2, 'accepted', 2, 8, null, null, 0), "
        "('generic', 90, 3, 'accepted', 3, 9, 'login-gone ', null, 0)) as t(source_system, "
        "load_id, row_number, outcome, event_key, visitor_key, user_id, occurred_at, sequence); "
        "create table intermediate.int_all_sessions as from (values (7, 'device-gone'), "
        "(8, 'device-stays'), (9, ' device-old')) as t(visitor_key, visitor_id); "
        "create table intermediate.int_order_events as from (values (1, 'O1'), (2, 'O2'), "
        "(1, 'O3'), (2, 'O3'), (1, 'O4')) as t(event_key, order_id); "
        "create table intermediate.int_staged_events as from (values ('generic', 1, 1, ' O4 ')) "
        "as t(source_system, load_id, row_number, order_id)"
    )


@pytest.mark.parametrize("name", ["login-gone", "device-old", "device-gone"])
def test_people_whose_rows_are_retired_leave_the_tables_and_what_is_published(
    tmp_path, built_and_published, name
):
    home = Home(tmp_path / "home")
    home.drop("generic/a.jsonl", [event("device-stays")])
    # a database pads its numbers with blanks
    home.drop("orders/a.csv", "order_id,value\nO1  ,5\nO2,6\nO3,7\nO4,8\n")
    home.drop("orders/b.jsonl", [{"order_id": "O1 ", "value": 5}, {"order_id": "O2 ", "value": 6}])
    padded = home.settings.landing / "orders/c.parquet"
    duckdb.execute(f"copy (select unnest(['O1 ', 'O2 ']) as order_id, 5 as value) to '{padded}'")
    home.land()
    old_tables(home)
    home.rows("insert into raw.removals values ('generic', 1, 3, 'retired', now()::timestamp)")
    home.rows("create table raw.build_state (name varchar, value varchar)")
    noted = ["(layout)", "int_event_receipts", "int_sessions"]
    home.rows(f"insert into raw.build_state select unnest({noted}), '1'")
    receipt = erase(home, tmp_path, name)
    # or the next night would want to build anew what it cannot
    assert home.rows("select name from raw.build_state") == [(each,) for each in noted[:2]]
    left = {"device-gone": {" device-old"}}.get(name, {"device-gone"})
    assert set(home.rows("select visitor_id from intermediate.int_all_sessions")) == {
        (visitor,) for visitor in left | {"device-stays"}
    }
    assert home.rows("select count(*) from intermediate.int_event_receipts") == [(2,)]
    assert built_and_published == ["built", "published", "page"]
    # an order that only rows of theirs named, also rows that raw has no more
    is_buyer = name == "device-gone"
    assert receipt.raw_rows == ({"orders": 3} if is_buyer else {})
    assert ("O1  ,5" in (home.settings.landing / "orders/a.csv").read_text()) is not is_buyer
    assert ("O1 " in (home.settings.landing / "orders/b.jsonl").read_text()) is not is_buyer
    orders = duckdb.execute(f"select order_id from '{padded}' order by 1").fetchall()
    assert orders == [("O1 ",), ("O2 ",)][is_buyer:]
    erase(home, tmp_path, name)
    assert built_and_published == ["built", "published", "page"]


@pytest.mark.parametrize("where", ["'device-gone', null", "null, '/x?u=device-gone'"])
def test_an_attached_table_is_to_be_rid_of_people_first_and_then_their_tables_are(
    tmp_path, built_and_published, where
):
    database = tmp_path / "own.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute(
            f"create table events as select col0 as visitor_id, col1 as page_url, timestamp '{AT}' "
            f"as occurred_at, 'page_view' as event_name, timestamp '{AT}' as arrived_at from "
            f"(values ({where}), ('device-stays', '/?from=device-gone'))"
        )
    attached = {"database": str(database), "table": "main.events", "arrival_column": "arrived_at"}
    home = Home(tmp_path / "home", attached_sources={"generic": attached})
    home.land()
    old_tables(home)
    with pytest.raises(IntentMapError, match=r"1 rows of these people are in main\.events"):
        erase(home, tmp_path, "device-gone")
    assert built_and_published == []
    with duckdb.connect(str(database)) as con:
        con.execute("delete from events where visitor_id is distinct from 'device-stays'")
    assert erase(home, tmp_path, "device-gone").raw_rows == {}
    assert built_and_published == ["built", "published", "page"]


def test_copies_of_the_warehouse_in_the_home_are_named_and_an_unfinished_restore_goes(
    home, tmp_path
):
    folder, warehouse = home.settings.home, home.settings.warehouse
    shutil.copytree(warehouse.parent, folder / "replaced" / "20260101T000000Z" / "warehouse")
    shutil.copytree(warehouse.parent, folder / "warehouse.unfinished")
    shutil.copytree(warehouse.parent, folder / "mine" / "backup")
    shutil.copy(warehouse, warehouse.with_name("copy.duckdb"))
    (folder / "old.csv.gz").write_bytes(gzip.compress(b"device-gone"))
    receipt = erase(home, tmp_path)
    places = ("mine", "old.csv.gz", "replaced/20260101T000000Z", "warehouse/copy.duckdb")
    assert [line.split(":")[0] for line in receipt.files_left] == list(places)
    for place in places:
        assert any(f"NOT searched, see to it yourself: {place}" in line for line in home.said)
    held = {place.split(" ")[0] for place in places_that_hold(folder, GONE)}
    assert all(place.startswith(places) for place in held)


def test_a_landed_file_with_the_longest_name_is_rewritten_too(tmp_path):
    home = Home(tmp_path / "home")
    name = f"generic/{'n' * 251}.csv"
    path = home.drop(name, f"visitor_id,occurred_at,event_name\ndevice-gone,{AT},page_view\n")
    home.land()
    assert erase(home, tmp_path, "device-gone\n").file_rows == {"landing/generic": 1}
    assert path.read_text() == "visitor_id,occurred_at,event_name\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_text_with_bytes_that_are_none_is_rewritten_as_landing_read_it(tmp_path):
    home = Home(tmp_path / "home")
    head = "visitor_id,occurred_at,event_name,page_url\n"
    stays = f"device-stays,{AT},page_view,c\0d\n"
    path = home.drop("generic/a.csv", f"{head}device-gone,{AT},page_view,a\0b\n{stays}")
    home.land()
    receipt = erase(home, tmp_path, "device-gone\n")
    assert (receipt.file_rows, receipt.files_left) == ({"landing/generic": 1}, [])
    assert path.read_text() == head + stays


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("generic/a.csv", f"visitor_id,occurred_at,event_name\ndevice-stays,{AT},page_view"),
        ("generic/a.jsonl", json.dumps(event("device-stays"))),
        ("_set_aside/generic/a.txt", "device-stays"),
    ],
)
def test_a_line_without_end_is_not_read_into_memory(tmp_path, monkeypatch, name, first):
    monkeypatch.setattr(mending, "LONGEST_LINE", 1000)
    home = Home(tmp_path / "home")
    path = home.settings.landing / name
    path.parent.mkdir(parents=True)
    path.write_text(f"{first}\n{'x' * 1001}")
    receipt = erase(home, tmp_path, "device-gone\n")
    said = "a line of it has 1,000 characters and more"
    is_aside = name.startswith("_set_aside")
    assert receipt.files_removed == ([f"{name} ({said})"] if is_aside else [])
    assert receipt.files_left == ([] if is_aside else [f"{name}: {said}"])
    assert path.exists() is not is_aside


@pytest.mark.parametrize("target", ["nowhere", "a.csv"])
def test_a_link_out_of_reach_is_named_as_not_searched(tmp_path, target):
    home = Home(tmp_path / "home")
    home.drop("generic/b.csv", f"visitor_id,occurred_at,event_name\ndevice-gone,{AT},page_view\n")
    (home.settings.landing / "generic" / "a.csv").symlink_to(target)
    receipt = erase(home, tmp_path, "device-gone\n")
    assert receipt.file_rows == {"landing/generic": 1}
    assert [left.split(":")[0] for left in receipt.files_left] == ["generic/a.csv"]


def test_a_file_that_has_not_landed_yet_lands_without_them_later(tmp_path):
    theirs = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(theirs)) as con:
        con.execute(
            "create table events (visitor_id varchar, occurred_at timestamp, event_name varchar, "
            "arrived timestamp)"
        )
    entry = {"database": str(theirs), "table": "events", "arrival_column": "arrived"}
    home = Home(tmp_path / "home", attached_sources={"generic": entry})
    home.drop("generic/a.jsonl", [event("device-gone"), event("device-stays")])
    receipt = erase(home, tmp_path, "device-gone\n")
    assert receipt.file_rows["landing/generic"] == 1
    # once the table is out of the var, files count again
    home = Home(tmp_path / "home")
    assert home.land().files_landed == 1
    assert home.events("visitor_id") == [("device-stays",)]


def test_a_linked_folder_outside_the_home_is_named_as_not_searched(tmp_path):
    home = Home(tmp_path / "home")
    share = tmp_path / "share"
    share.mkdir()
    text = f"visitor_id,occurred_at,event_name\ndevice-gone,{AT},page_view\n"
    (share / "a.csv").write_text(text)
    (home.settings.landing / "generic").mkdir(parents=True)
    (home.settings.landing / "generic" / "linked").symlink_to(share)
    home.land()
    receipt = erase(home, tmp_path, "device-gone\n")
    assert receipt.raw_rows == {"generic": 1}
    assert receipt.files_left == ["generic/linked: it is a link to a folder outside the home"]
    assert (share / "a.csv").read_text() == text


def test_a_row_of_nobodys_that_mentions_an_id_goes(tmp_path):
    home = Home(tmp_path / "home")
    nobodys = [*filter(None, erasure.ids.NOBODY), " Guest "]
    named = {"page_url": "/x?u=device-gone"}
    home.drop("generic/a.jsonl", [event(name, **named) for name in [*nobodys, "device-stays"]])
    home.drop_parquet(
        "generic/b.parquet",
        f"select unnest({[*nobodys, 'device-stays']}) as visitor_id, timestamp '2026-01-05' as "
        "occurred_at, 'x' as event_name, '/x?u=device-gone' as page_url",
    )
    app = {"collector_tstamp": AT, "event": "page_view"}
    home.drop(
        "snowplow/a.jsonl",
        [
            {"event_id": f"{name}{device}", "domain_userid": name, "network_userid": device,
             **app, **named}
            for name in nobodys for device in ("device-gone", "device-stays")
        ],
    )  # fmt: skip
    home.land()
    receipt = erase(home, tmp_path, "device-gone\n")
    rows = len(nobodys)
    assert receipt.raw_rows == {"generic": 2 * rows, "snowplow": rows}
    assert receipt.file_rows == {"landing/generic": 2 * rows, "landing/snowplow": rows}
    visitors = "select distinct visitor_id from raw.generic_events"
    assert home.rows(visitors) == [("device-stays",)]


def test_an_id_is_erased_with_the_blanks_that_stand_around_it(tmp_path):
    home = Home(tmp_path / "home")
    home.drop(
        "generic/a.csv",
        "visitor_id,user_id,occurred_at,event_name\n"
        f'" one ",,{AT},scroll\n"two\u00a0"," six ",{AT},scroll\n" seven",,{AT},scroll\n',
    )
    home.drop("generic/b.jsonl", [event(" two"), event("ones"), event("o ne")])
    home.drop_parquet(
        "generic/c.parquet",
        "select unnest([' one', 'two ', 'stays']) as visitor_id, ' six' as user_id, "
        f"timestamp '{AT}' as occurred_at, 'scroll' as event_name",
    )
    home.land()
    receipt = erase(home, tmp_path, "kind,id\nvisitor,one\nvisitor,two\n")
    # the login six was also on a visitor of another id
    assert home.rows("select visitor_id from raw.generic_events order by 1") == [
        (" seven",), ("o ne",), ("ones",)
    ]  # fmt: skip
    assert receipt.file_rows == {"landing/generic": 6}
    assert (receipt.visitors, receipt.users) == (3, 1)


def test_a_short_id_is_found_in_each_column_that_may_name_a_visitor(tmp_path):
    home = Home(tmp_path / "home")
    session = "contexts_com_snowplowanalytics_snowplow_client_session_1"
    app = {"collector_tstamp": AT, "event": "page_view"}
    rows = [
        {**app, "event_id": "1", "network_userid": "abc"},
        {**app, "event_id": "2", "network_userid": "stays"},
        {**app, "event_id": "3", "network_userid": "proxy", session: [{"userId": "abc"}]},
        {**app, "event_id": "4", "network_userid": "abc", session: {"user_id": "stays"}},
        {**app, "event_id": "5", "network_userid": "abc", session: [{"userId": ZEROS}]},
        {**app, "event_id": "6", "network_userid": "abc", session: "no JSON"},
        {**app, "event_id": "7", "domain_userid": "stays", "network_userid": "abc"},
    ]
    home.drop("snowplow/a.jsonl", rows)
    table = [("event_id", "network_userid", f"{session}_0_2", "collector_tstamp", "event")]
    table += [
        (row["event_id"], row["network_userid"], json.dumps(row.get(session)), AT, "page_view")
        for row in rows[:5]
    ]
    with (home.settings.landing / "snowplow" / "b.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    home.drop_parquet(
        "snowplow/c.parquet",
        f"select col0 as event_id, timestamp '{AT}' as collector_tstamp, 'page_view' as event, "
        f"col1 as network_userid, [{{'user_id': col2}}] as {session} from (values "
        "('1', 'abc', null), ('2', 'stays', null), ('3', 'proxy', 'abc'), ('4', 'abc', 'stays'), "
        f"('5', 'abc', '{ZEROS}'))",
    )
    home.land()
    receipt = erase(home, tmp_path, "abc\n")
    assert receipt.raw_rows == {"snowplow": 10}
    assert receipt.file_rows == {"landing/snowplow": 10}
    left = "select file_name, string_agg(event_id order by event_id) from raw.snowplow_events"
    assert home.rows(f"{left} group by 1 order by 1") == [
        ("a.jsonl", "2,4,7"), ("b.csv", "2,4"), ("c.parquet", "2,4")
    ]  # fmt: skip


def test_a_row_of_another_person_that_mentions_an_id_stays(tmp_path):
    home = Home(tmp_path / "home")
    home.drop("generic/a.jsonl", [event("other", page_url="/hello?from=login-gone")])
    home.land()
    assert erase(home, tmp_path).raw_rows == {}
    assert home.rows("select count(*) from raw.generic_events") == [(1,)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_their_orders_leave_raw_files_and_logs(tmp_path, built_and_published, ending):
    home = Home(tmp_path / "home")
    home.drop(
        "generic/a.jsonl",
        [
            event("device", "login-gone", order_id="O-10001"),
            event("other", order_id="O-10002"),
            event("other", order_id="O-10003/login-gone"),
        ],
    )
    rows = [("O-10001", "paid"), ("O-10002", "of login-gone"), ("O-10003/login-gone", "paid"),
            ("O-10004", "of login-gone"), ("", "of login-gone"), ("O-10005", "paid")]  # fmt: skip
    if ending == "csv":
        lines = "".join(f"{order},5,{status}\n" for order, status in rows)
        home.drop("orders/a.csv", "order_id,value,status\n" + lines)
    else:
        values = ", ".join(map(str, rows))
        home.drop_parquet(
            "orders/a.parquet",
            f"select col0 as order_id, 5 as value, col1 as status from (values {values})",
        )
    home.land()
    home.rows("create schema intermediate")
    home.rows(
        "create table intermediate.int_staged_events as "
        "select 'generic' as source_system, load_id, row_number, order_id from raw.generic_events"
    )
    log = home.settings.home / "logs" / "error.log"
    log.parent.mkdir()
    log.write_text("".join(f"row {n}, order_id {row[0]}\n" for n, row in enumerate(rows)))
    assert erase(home, tmp_path).raw_rows == {"generic": 1, "orders": 3}
    # what is on another person's row is that person's
    stay = [("O-10002",), ("O-10003/login-gone",), ("O-10005",)]
    assert home.rows("select order_id from raw.orders order by all") == stay
    with duckdb.connect() as con:
        left = con.sql(f"select order_id from '{home.settings.landing}/orders/a.{ending}'")
        assert sorted(left.fetchall()) == stay
    assert "O-10001" not in log.read_text()
    assert "O-10005" in log.read_text()


def test_tables_of_another_release_are_to_be_made_anew_first(tmp_path):
    home = Home(tmp_path / "home")
    home.drop("generic/a.jsonl", [event("device", "login-gone")])
    home.land()
    home.rows("create schema intermediate")
    for table in ("int_all_sessions", "int_event_receipts"):
        # as an older one had it in both
        home.rows(f"create table intermediate.{table} (visitor_key bigint, visitor_id varchar)")
    with pytest.raises(IntentMapError, match=r"of another release.* `intent-map nightly`"):
        erase(home, tmp_path)
    assert home.rows("select count(*) from raw.generic_events") == [(1,)]
    assert not (home.settings.home / erasure.FOLDER).exists()


def test_their_orders_leave_raw_where_no_night_has_built_a_table(tmp_path):
    home = Home(tmp_path / "home")
    entity = "contexts_com_snowplowanalytics_snowplow_ecommerce_{}_1".format
    param = {"key": "transaction_id", "value": {"int_value": 10004}}
    ga4 = {"event_name": "purchase", "event_timestamp": 1767614400000000}
    snowplow = {"collector_tstamp": AT, "event": "unstruct"}
    home.drop(
        "generic/a.jsonl",
        [event("gone-1", order_id=" O-10001 "), event("gone-1", order_id="O-20000"),
         event("other", order_id="O-20000"), event("gone-1", order_id="(not set)")],
    )  # fmt: skip
    home.drop(
        "segment/order_completed.jsonl",
        [{"id": "1", "timestamp": AT, "anonymous_id": "gone-1", "order_id": "O-10002"}],
    )
    home.drop(
        "ga4/a.jsonl",
        [{**ga4, "user_pseudo_id": "gone-1", "ecommerce": {"transaction_id": "O-10003"}},
         {**ga4, "user_pseudo_id": "gone-1", "event_params": [{"key": "value"}, param]},
         {**ga4, "user_pseudo_id": "other", "ecommerce": {"transaction_id": "O-20001"}}],
    )  # fmt: skip
    home.drop(
        "snowplow/a.jsonl",
        [{**snowplow, "event_id": "1", "domain_userid": "gone-1", "tr_orderid": "O-10005"},
         {**snowplow, "event_id": "2", "domain_userid": "gone-1",
          entity("transaction"): [{"transaction_id": "O-10006"}]},
         {**snowplow, "event_id": "3", "domain_userid": "gone-1",
          entity("refund"): {"transaction_id": "O-10007"}}],
    )  # fmt: skip
    numbers = ["O-10001", "O-10002", "O-10003", "10004", "O-10005", "O-10006", "O-10007"]
    others = ["(not set)", "O-20000", "O-20001"]
    rows = "".join(f"{number},5\n" for number in numbers + others)
    home.drop("orders/a.csv", "order_id,value\n" + rows)
    home.land()
    erase(home, tmp_path, "gone-1\n")
    assert home.rows("select order_id from raw.orders order by all") == [(one,) for one in others]
    file = home.settings.landing / "orders" / "a.csv"
    assert file.read_text() == "order_id,value\n" + "".join(f"{one},5\n" for one in others)


@pytest.mark.parametrize("name", ["******", "\N{SLIGHTLY SMILING FACE}" * 6])
def test_an_id_without_a_letter_or_digit_is_found_where_no_visitor_is_named(tmp_path, name):
    home = Home(tmp_path / "home")
    home.drop("generic/a.jsonl", [event("other"), event(None, page_url=f"/hello?from={name}")])
    home.drop_parquet(
        "generic/b.parquet",
        "select null as visitor_id, timestamp '2026-01-05' as occurred_at, "
        f"'page_view' as event_name, '/hello?from={name}' as page_url",
    )
    home.land()
    receipt = erase(home, tmp_path, name)
    assert receipt.raw_rows == {"generic": 2}
    assert sum(receipt.file_rows.values()) == 2
    assert home.rows("select visitor_id from raw.generic_events") == [("other",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names nobody"),
        ("kind,id\n", "names nobody"),
        ("kind,id\nperson,x\n", "line 2, column kind: 'person'"),
        ("kind,id\nuser\n", "line 2: there are 1 fields under 2 columns"),
        ("good\n\n(not set)\n", "line 3: what stands there is not the id of anybody"),
        ("id\n \nNULL\n", "line 3"),
    ],
)
def test_a_wrong_file_of_ids_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(IntentMapError, match=said.replace("(", r"\(")):
        read_ids(ids_file(tmp_path, text))


def test_a_file_too_large_for_a_list_of_ids_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(erasure.ids, "MOST_BYTES", 10)
    assert read_ids(ids_file(tmp_path, "device-1\n")).all == {"device-1"}
    with pytest.raises(IntentMapError, match="so it is no list of ids"):
        read_ids(ids_file(tmp_path, "device-100\n"))


def test_a_file_whose_path_names_somebody_is_refused_without_saying_whom(home, tmp_path):
    path = tmp_path / "login-gone.txt"
    path.write_text("login-gone\n", encoding="utf-8")
    with pytest.raises(IntentMapError, match="mentions an id that is in it") as refused:
        erase_users(home.settings, path, report=home.said.append)
    assert "login-gone" not in str(refused.value)


def test_a_file_of_ids_in_the_home_is_refused_since_it_would_lose_them_half_way(home, tmp_path):
    ids = ids_file(home.settings.home, "login-gone\n")
    (tmp_path / "link").symlink_to(home.settings.home)
    for path in (ids, tmp_path / "link" / "ids.txt"):
        with pytest.raises(IntentMapError, match=r"lies in the home.*Move it elsewhere"):
            erase_users(home.settings, path, report=home.said.append)
    assert ids.read_text() == "login-gone\n"


def test_a_storage_that_others_read_meanwhile_stops_it_before_raw_forgets_whom_to_look_for(
    home, tmp_path, monkeypatch
):
    monkeypatch.setattr(compaction, "BUSY_SECONDS", 0.1)
    runs = home.settings.home / "dagster" / "history" / "runs.db"
    with contextlib.closing(sqlite3.connect(runs)) as reader:
        rows = reader.execute("select * from event_logs")
        rows.fetchone()
        with pytest.raises(IntentMapError, match=r"runs\.db cannot be cleaned \(another program"):
            erase(home, tmp_path)
        rows.close()
    assert len(rows_of(home)) == 38
    assert erase(home, tmp_path).files_left == []
    assert places_that_hold(home.settings.home, GONE) == {}


def test_a_storage_of_dagster_that_cannot_be_searched_is_named(home, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(own))
    (own / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    left = erase(home, tmp_path).files_left
    assert left == ["Dagster's storage of DAGSTER_HOME: it is not in PostgreSQL"]


def test_a_database_of_dagster_that_is_down_stops_it_before_raw_forgets_whom_to_look_for(
    home, tmp_path, monkeypatch
):
    def down():
        raise ConnectionError("connection to server failed: Connection refused")

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(DagsterInstance, "get", down)
    with pytest.raises(IntentMapError, match=r"cannot be cleaned: connection to server failed"):
        erase(home, tmp_path)
    assert len(rows_of(home)) == 38
    monkeypatch.delenv("DAGSTER_HOME")
    erase(home, tmp_path)
    assert places_that_hold(home.settings.home, GONE) == {}


def run_in_dagster(home: Home, job: str, instance, config=None):
    (found,) = [one for one in build_upkeep_jobs(home.settings) if one.name == job]
    return found.execute_in_process(instance=instance, run_config=config, raise_on_error=False)


def reasons(result) -> list[str]:
    return [
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.event_type == DagsterEventType.STEP_FAILURE
    ]


def test_the_job_erases_as_the_command_does_and_shows_what_went(home, tmp_path):
    def asked(path):
        return {"ops": {"erase": {"config": {"file": str(path)}}}}

    with DagsterInstance.ephemeral() as instance:
        missing = run_in_dagster(home, ERASE, instance, asked(tmp_path / "none"))
        assert reasons(missing) == [
            f"The file {tmp_path / 'none'} cannot be read (No such file or directory)."
        ]
        empty = run_in_dagster(home, ERASE, instance, asked(ids_file(tmp_path, "\n")))
        assert "names nobody: write one id a line" in reasons(empty)[0]
        done = run_in_dagster(home, ERASE, instance, asked(ids_file(tmp_path, "login-gone\n")))
        assert done.success
        (shown,) = [
            event.event_specific_data.metadata
            for event in done.all_events
            if event.event_type == DagsterEventType.STEP_OUTPUT
        ]
        assert {name: one.value for name, one in shown.items()} == {
            "raw rows": 22, "visitors": 3, "files left": 0
        }  # fmt: skip
        said = [entry.to_json() for run in instance.get_runs() for entry in
                instance.all_logs(run.run_id)]  # fmt: skip
        assert not [line for line in said if "login-gone" in line or "device-gone" in line]
        retired = run_in_dagster(home, RETENTION, instance)
        assert (retired.success, reasons(retired)) == (True, [])
    assert places_that_hold(home.settings.home, GONE) == {}


def test_ids_are_read_from_lines_and_from_columns(tmp_path):
    assert read_ids(ids_file(tmp_path, "\ufeff a,b \nc\n")).all == {"a,b", "c"}
    read = read_ids(ids_file(tmp_path, "ID,Kind\nx,User\ny,visitor\nz,\n"))
    assert (read.users, read.visitors) == ({"x", "z"}, {"y", "z"})


def test_words_that_are_nobody_are_those_of_the_models():
    macros = PROJECT_ROOT / "dbt_project" / "macros" / "expressions"
    words = set(texts_in(macros / "placeholders.sql"))
    assert words == set(PLACEHOLDERS)
    assert words | set(texts_in(macros / "nobodys_ids.sql")) == set(erasure.ids.NOBODY)
    # landing and known_id do not look into longer texts, but for the zeros
    assert max(len(word) for word in {*erasure.ids.NOBODY} - {erasure.ids.ZEROS}) <= 16


def texts_in(macro: Path) -> list[str]:
    """The literals of a macro's SQL."""
    return re.findall(r"'([^']*)'", macro.read_text(encoding="utf-8").split("-#}")[1])


@pytest.mark.parametrize(
    ("name", "text", "is_there"),
    [
        ("123456", "?u=123456&x", True),
        ("123456", "9123456", False),
        ("123456", "1234567", False),
        ("123456", "%2F123456%2F", True),
        ("anna@shop.example", "u=anna%40shop.example", True),
        ("auth0|abc", "auth0|abcd", False),
        ("Žaneta", '{"n": "\\u017daneta"}', True),
        ("12345", "12345", False),
        ("team/alice1", "/x?u=team%2falice1&y", True),
        ("team/alice1", "/x?u=team%2Falice1&y", True),
        ("team/alice1", "/x?u=team/alice1&y", True),
        ("team/alice1", "/x?u=team%2falice12", False),
        ("team/alice1", r'{"u": "team\/alice1"}', True),
        ("alice+x@ex.com", "u=alice%2bx%40ex.com", True),
        ("alice+x@ex.com", "u=alice%2Bx%40ex.com", True),
        ("alice+x@ex.com", "u=alice+x@ex.com", True),
        ("Alice Smith", "u=Alice+Smith", True),
        ("Alice Smith", "u=Alice%20Smith", True),
        ("Žaneta", "u=%c5%bdaneta", True),
        ("it's (me)!", "u=it's%20(me)!&", True),
        ('my "one" id', 'a;"my ""one"" id"', True),
        ("o'brien@ex.com", "where user_id = 'o''brien@ex.com'", True),
    ],
)
def test_an_id_is_found_in_a_text_as_a_word_of_its_own(name, text, is_there):
    mentions = Mentions([name, "another-id"])
    assert mentions.mentioned_in(text) is is_there
    assert (mentions.taken_out_of(text) == text) is not is_there


def test_a_number_in_a_record_or_a_moment_is_nobodys_id_and_stays(tmp_path):
    path = tmp_path / "runs.db"
    moment = "2026-12-01 02:48:13.760546"
    event = {"timestamp": 1796093293.760546, "rows": 760546, "message": "row of 760546: refused"}
    con = sqlite3.connect(path)
    con.execute("create table event_logs (event text, at timestamp)")
    con.execute("insert into event_logs values (?, ?)", [json.dumps(event), moment])
    con.commit()
    taken_out = Mentions(["760546"]).taken_out_of_record
    assert compaction.clean_sqlite(path, taken_out) == 1
    ((said, at),) = con.execute("select event, at from event_logs").fetchall()
    con.close()
    assert json.loads(said) == event | {"message": "row of (erased): refused"}
    assert at == moment
    note = tmp_path / "health.json"
    note.write_text(json.dumps(event | {"inside": json.dumps(event)}, indent=2) + "\n")
    assert erasure_files.clean_text(note, taken_out) == 1
    cleaned = json.loads(note.read_text())
    assert (cleaned["rows"], json.loads(cleaned["inside"])["rows"]) == (760546, 760546)
    assert "row of 760546" not in note.read_text()


def test_a_compacted_warehouse_holds_the_same_in_no_more_blocks_than_it_needs(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.jsonl", [event("stays")])
    home.land()
    home.rows("create table raw.much as select md5(cast(n as varchar)) as m from range(99999) t(n)")
    home.rows("create view raw.mine as select visitor_id from raw.generic_events")
    home.rows("drop table raw.much")
    left = home.settings.warehouse.with_name("intent_map.duckdb.compacting")
    left.write_bytes(b"of a killed run")
    assert home.rows("select free_blocks > 0 from pragma_database_size()") == [(True,)]
    compaction.compact_warehouse(home.settings)
    assert home.rows("select free_blocks from pragma_database_size()") == [(0,)]
    assert home.rows("from raw.mine") == [("stays",)]
    assert not left.exists()


def test_tables_that_an_erasure_leaves_unbuilt_do_not_count_as_built(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop("generic/a.jsonl", [event("stays")])
    home.land()
    incremental = {"materialized": "incremental"}
    tables = {"int_staged_events": {}, "receipts": incremental, "sums": incremental}
    manifest = {
        "metadata": {"project_name": "p"},
        "nodes": {
            f"model.p.{name}": {"name": name, "schema": "intermediate", "config": config}
            for name, config in tables.items()
        },
        "child_map": {"model.p.int_staged_events": ["model.p.receipts"]},
    }
    noted = []
    monkeypatch.setattr(erasure.dbt_runner, "prepare_manifest", lambda *_, **__: None)
    monkeypatch.setattr(erasure.dbt_runner, "load_manifest", lambda _: manifest)
    monkeypatch.setattr(erasure.dbt_runner, "run_dbt", lambda *_, **__: [])
    monkeypatch.setattr(erasure.fingerprint, "current", lambda *_: {})
    monkeypatch.setattr(erasure.fingerprint, "remember", lambda *given: noted.append(given[-1]))
    monkeypatch.setattr(erasure, "say_what_counts_no_more", lambda _, report: report("5 rows"))
    said = []
    erasure._build(home.settings, report=said.append)
    assert said.count("5 rows") == 1
    home.rows("insert into raw.removals values ('generic', 1, 1, 'retired', now()::timestamp)")
    erasure._build(home.settings, report=said.append)
    # receipts stay as they are, and with them the counts
    assert said.count("5 rows") == 1
    assert noted == [{"int_staged_events", "receipts", "sums"}, {"int_staged_events", "sums"}]
