"""People erased from a home with all sources, versions and published files: searched by byte."""

import hashlib
import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.home_search import places_that_hold
from pipeline.homes import TABLES_ONLY, Home, differences, differing_tables
from pipeline.promise_checks import Done

from orchestration import dbt_runner
from orchestration.erasure import Receipt, erase_users
from orchestration.landing import kept
from orchestration.publishing import publish
from orchestration.sources import EVENT_SOURCES

# half of the generated histories: each has one to three visitors and two logins at most
PEOPLE = 100
ERASED = [f"h{number:05d}:{name}" for number in range(PEOPLE) for name in "abcuv"]
PATTERN = r"h000\d\d:[abcuv]\b"
KEY = "a key"
NIGHTLY_ARGS = dbt_runner.nightly_args


@dataclass(frozen=True)
class Erased:
    """A home before and after, and where each of them held the people."""

    home: Home
    receipt: Receipt
    said: list[str]
    held_before: dict[str, int]
    held_after: dict[str, int]
    original: Path


def leave_traces(home: Home) -> None:
    (home.path / "logs").mkdir(exist_ok=True)
    (home.path / "logs" / "error.log").write_text(f"no order of '{ERASED[0]}'\n", encoding="utf-8")
    folder = home.path / "dagster" / "history" / "runs"
    folder.mkdir(parents=True)
    con = sqlite3.connect(folder / "1.db")
    con.execute("create table event_logs (id integer primary key, event text)")
    con.execute("insert into event_logs (event) values (?)", [f'{{"message": "{ERASED[1]}"}}'])
    con.commit()
    con.close()


def drop_waiting_files(home: Home) -> None:
    """Of the sources that the histories leave out, and a large file that is kept as it is."""
    at = "2025-05-05 10:00:00"
    home.drop("segment", "pages", [
        {"id": n, "timestamp": at, "anonymous_id": ERASED[n], "user_id": ERASED[3],
         "traits": ERASED[n]} for n in range(len(ERASED))
    ])  # fmt: skip
    home.drop("snowplow", "atomic", [
        {"event_id": n, "collector_tstamp": at, "event": "page_view", "domain_userid": ERASED[n],
         "contexts_own_1": f'[{{"id": "{ERASED[4]}"}}]'} for n in range(len(ERASED))
    ])  # fmt: skip
    with duckdb.connect() as con:
        con.execute(
            "copy (select case when n % 3 = 0 then ? else 'h99999:stays' end as visitor_id, "
            "timestamp '2025-05-05 10:00' + interval (n) minute as occurred_at, 'page_view' as "
            f"event_name from range(90) t(n)) to '{home.landing('generic')}/large.parquet'",
            [ERASED[2]],
        )


def take_out_of_raw(home: Home, pattern: str) -> None:
    """As retention, or the owner of an attached table, leaves people: in tables only."""
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as con:
        for source in EVENT_SOURCES:
            con.execute(
                f"delete from raw.{kept.table_of_rows(con, source)} as held "
                "where regexp_matches(cast(to_json(held) as varchar), ?)",
                [pattern],
            )
        # an order of theirs would tell that there is something to erase
        con.execute("delete from raw.orders")
    shutil.rmtree(home.path / "landing")


def tables_only(*arguments: Any, **named: Any) -> list[str]:
    return [*NIGHTLY_ARGS(*arguments, **named), *TABLES_ONLY]


@pytest.fixture(scope="module")
def erased(promise: Done) -> Erased:
    home = promise.nights.copy("erased")
    shutil.rmtree(home.path / "serving", ignore_errors=True)
    leave_traces(home)
    drop_waiting_files(home)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kept, "KEPT_FROM_BYTES", 1)
        home.land()
    settings = replace(home.settings, hash_key=KEY)
    for run in ("one", "two"):
        publish(settings, run, report=lambda _: None)
    original = home.path.parent / "originals"
    shutil.copytree(home.path / "landing", original)
    held_before = places_that_hold(home.path, PATTERN)
    ids = home.path.parent / "ids.csv"
    ids.write_text("id\n" + "\n".join(ERASED), encoding="utf-8")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        # the data tests run in the deep test, and take as long as the tables
        patched.setattr(dbt_runner, "nightly_args", tables_only)
        receipt = erase_users(settings, ids, report=said.append)
    return Erased(home, receipt, said, held_before, places_that_hold(home.path, PATTERN), original)


def test_no_byte_of_the_people_is_left(erased: Erased) -> None:
    for place in (
        *("landing/generic/night_0_0.csv bytes", "landing/ga4/night_0_0.parquet rows"),
        *("landing/segment/pages.csv bytes", "landing/snowplow/atomic.csv bytes"),
        *("logs/error.log bytes", "dagster/history/runs/1.db event_logs"),
        "warehouse/intent_map.duckdb intermediate.int_event_receipts",
        "warehouse/intent_map.duckdb marts.mart_sessions",
    ):
        assert erased.held_before.get(place), place
    assert any("/load_id=" in place for place in erased.held_before)
    assert erased.held_after == {}
    # each history is one person at least, and has a first visitor
    assert erased.receipt.visitors >= PEOPLE
    assert erased.receipt.files_left == []
    assert not any(name in line for line in erased.said for name in ERASED)


def test_their_hashes_are_not_published_any_more_in_any_copy(erased: Erased) -> None:
    # of every history the first visitor: a search for all of them takes a minute
    hashes = [hashlib.sha256(f"{KEY}|{name}".encode()).hexdigest() for name in ERASED[::5]]
    assert places_that_hold(erased.home.path / "serving", "|".join(hashes)) == {}
    assert len(list((erased.home.path / "serving" / "parquet_versions").iterdir())) == 1
    served = erased.home.path / "serving" / "intent_map.duckdb"
    with duckdb.connect(str(served), read_only=True) as con:
        assert con.execute("select count(*) > 60 from marts.mart_sessions").fetchone()[0]


def test_value_versions_stay_as_they_were(erased: Erased, promise: Done) -> None:
    kept_tables = [
        f"valuation.val_version_{name}" for name in ("values", "probabilities", "states")
    ]
    assert erased.home.rows(kept_tables) == promise.nights.rows(kept_tables)
    assert erased.home.query("select count(*) as n from valuation.val_trials")[0]["n"] == 0


def test_nobody_comes_back_from_files_that_lie_there_or_are_dropped_again(erased: Erased) -> None:
    home = erased.home.copy("erased_again")
    assert home.land().files_landed == 0
    shutil.copytree(erased.original, home.path / "landing", dirs_exist_ok=True)
    for path in (erased.original / "generic").iterdir():
        shutil.copy(path, home.landing("generic") / f"again_{path.name}")
    result = home.land()
    assert (result.files_landed, result.set_aside) == (0, [])


@pytest.mark.deep
@pytest.mark.parametrize("is_retired", [False, True])
def test_people_of_whom_raw_has_no_row_any_more_leave_all_tables(
    erased: Erased, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_retired: bool
) -> None:
    monkeypatch.setattr(dbt_runner, "nightly_args", tables_only)
    home = erased.home.copy(f"not_in_raw_{is_retired}")
    people = [f"h{number:05d}:{name}" for number in range(PEOPLE, PEOPLE + 20) for name in "abcuv"]
    pattern = r"h001[01]\d:[abcuv]\b"
    take_out_of_raw(home, pattern)
    if is_retired:
        with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as con:
            con.execute(
                "insert into raw.removals select source, load_id, 1, 'retired', landed_at "
                "from raw.loads where row_count > 0 limit 1"
            )
    held = places_that_hold(home.path, pattern)
    assert held["warehouse/intent_map.duckdb marts.mart_sessions"]
    ids = tmp_path / "ids"
    ids.write_text("\n".join(people), encoding="utf-8")
    home.take_up()
    receipt = erase_users(replace(home.settings, hash_key=KEY), ids, report=lambda _: None)
    assert receipt.raw_rows == {}
    assert places_that_hold(home.path, pattern) == {}
    hashes = [hashlib.sha256(f"{KEY}|{name}".encode()).hexdigest() for name in people[::5]]
    assert places_that_hold(home.path / "serving", "|".join(hashes)) == {}


@pytest.mark.deep
def test_nights_after_it_leave_what_a_full_refresh_leaves(erased: Erased) -> None:
    home = erased.home.copy("nights_after_erasure")
    home.drop("generic", "later", [
        {"visitor_id": "h00112:a", "occurred_at": "2025-05-05 10:10:00", "event_name": "purchase",
         "value": 7, "order_id": "later"},
        {"visitor_id": ERASED[0], "occurred_at": "2025-05-05 10:10:00", "event_name": "page_view"},
    ])  # fmt: skip
    home.night(data_tests=True)
    refreshed = home.copy("refreshed_after_erasure")
    refreshed.night(full_refresh=True)
    said = differences(*differing_tables(home, refreshed))
    assert not said, "\n".join(said)
