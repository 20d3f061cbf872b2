"""Large Parquet files that stay as they came, and the view that reads them in place."""

import os
import shutil
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from test_landing_home import HEADER, ROW, Home

from orchestration.errors import IntentMapError
from orchestration.landing import kept
from orchestration.landing import warehouse as landing_warehouse
from orchestration.landing.columns import checking_select
from orchestration.landing.reading import parquet_rows

EVENTS = (
    "select 'v' || n as visitor_id, '2026-01-05 10:00:0' || n as occurred_at, 'page_view' as "
    "event_name, case when n = 1 then '' else 'Shop' end as source, n * 2 as sequence, "
    "case when n = 2 then 'ten' else '10' end as value from range(4) as t(n)"
)


@pytest.fixture(autouse=True)
def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_FROM_BYTES", 0)


def kept_files(home: Home) -> list[Path]:
    folder = home.settings.warehouse.parent / "raw"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_kept_file_reads_as_its_rows_in_a_table_would(tmp_path, monkeypatch):
    columns = (
        "visitor_id, occurred_at, event_name, source, sequence, value, properties, unreadable, "
        "load_id, row_number, file_name"
    )
    name = "generic/day=2026-01-05/part 1.parquet"
    home = Home(tmp_path / "kept")
    home.drop_parquet(name, EVENTS)
    result = home.land()
    assert result.rows == 4
    assert result.sources["generic"].unreadable_rows == 1
    assert len(kept_files(home)) == 1
    monkeypatch.setattr(kept, "KEPT_FROM_BYTES", 1 << 40)
    other = Home(tmp_path / "table")
    other.drop_parquet(name, EVENTS)
    other.land()
    assert kept_files(other) == []
    assert home.events(columns) == other.events(columns)
    ((first, last),) = home.rows("select min(landed_at), max(landed_at) from raw.generic_events")
    assert first == last == home.rows("select landed_at from raw.loads")[0][0]


CLEAN = (
    "select 'v' || n as visitor_id, timestamp '2026-01-05 10:00:00' + to_seconds(n) as "
    "occurred_at, 'page_view' as event_name, case when n = 1 then null else 'Shop' end as source, "
    "n * 2 as sequence, cast(n as decimal(9, 2)) as value, '{{\"a\": 1}}' as properties, "
    "cast(0.5 as double) as country{} from range(4) as t(n)"
)


@pytest.mark.parametrize(
    ("change", "is_clean"),
    [
        ("", True),
        (", '' as medium", False),
        (", 'x' || nullif(n, 2) as medium", True),
        (", cast('nan' as double) as campaign", False),
        (", case when n < 3 then '5' else '' end as order_id", False),
        (", 'not a time' as loaded_at", False),
        (", ' ' as loaded_at", True),
        (", '2026-01-06' as loaded_at", True),
        (", timestamp '0001-01-01' - to_seconds(n) as loaded_at", False),
        (", 'an id longer than any placeholder ' || n as event_id", True),
        (", case when n = 2 then 'Undefined ' else 'e' || n end as event_id", False),
        (", case when n = 2 then 0 else 70 + n end as event_id", False),
        (", 70 + n as event_id", True),
        (", cast('null' as json) as page_url", False),
    ],
)
def test_a_file_is_read_without_looking_again_only_where_there_is_nothing_to_see(
    tmp_path, monkeypatch, change, is_clean
):
    home = Home(tmp_path / "kept")
    home.drop_parquet("generic/a.parquet", CLEAN.format(change))
    home.land()
    assert home.rows("select kept_file is not null, kept_is_clean from raw.loads") == [
        (True, is_clean)
    ]
    monkeypatch.setattr(kept, "KEPT_FROM_BYTES", 1 << 40)
    other = Home(tmp_path / "table")
    other.drop_parquet("generic/a.parquet", CLEAN.format(change))
    other.land()
    assert other.rows("select kept_is_clean from raw.loads") == [(None,)]
    columns = "* exclude (landed_at)"
    assert home.events(columns) == other.events(columns)


def test_kept_files_of_both_kinds_stand_side_by_side(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet("generic/a.parquet", CLEAN.format(", 'cpc' as medium"))
    home.drop_parquet("generic/b.parquet", CLEAN.format(", '' as medium"))
    home.land()
    assert home.rows(
        "select load_id, count(*), count(medium) from raw.generic_events group by 1 order by 1"
    ) == [(1, 4, 4), (2, 4, 0)]


def test_kept_files_with_other_columns_stand_side_by_side(tmp_path):
    home = Home(tmp_path / "a [home]")
    for name, columns in (
        ("a", ", 'cpc' as medium"),
        ("b", ""),
        ("c", ", 5 as medium"),
        ("d", ", 'email' as medium"),
    ):
        home.drop_parquet(f"generic/{name}.parquet", CLEAN.format(columns))
    result = home.land()
    assert result.set_aside == []
    assert len(kept_files(home)) == 4
    assert home.rows(
        "select load_id, count(*), any_value(medium) from raw.generic_events group by 1 order by 1"
    ) == [(1, 4, "cpc"), (2, 4, None), (3, 4, "5"), (4, 4, "email")]


def test_kept_files_and_rows_of_other_files_stand_side_by_side(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW)
    home.drop_parquet("generic/b.parquet", EVENTS)
    # a column that is not declared becomes a property, once and for all
    home.drop_parquet("generic/c.parquet", EVENTS.replace("n * 2 as sequence", "n as price"))
    home.land()
    home.drop("generic/d.csv", HEADER + ROW + ROW)
    home.drop_parquet("generic/e.parquet", EVENTS.replace("n * 2 as sequence", "'s' as session_id"))
    home.land()
    assert home.rows(
        "select file_name, count(*) from raw.generic_events group by 1 order by 1"
    ) == [
        ("a.csv", 1),
        ("b.parquet", 4),
        ("c.parquet", 4),
        ("d.csv", 2),
        ("e.parquet", 4),
    ]
    assert len(kept_files(home)) == 2
    assert home.rows("select distinct session_id from raw.generic_events where load_id = 5") == [
        ("s",)
    ]
    assert home.land().rows == 0


def test_spend_and_orders_are_not_kept(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet("orders/a.parquet", "select 'o1' as order_id, 5 as value")
    home.land()
    assert kept_files(home) == []
    assert home.rows("select count(*) from raw.orders") == [(1,)]


def test_a_file_changed_after_landing_does_not_change_what_landed(tmp_path):
    home = Home(tmp_path)
    path = home.drop_parquet("generic/a.parquet", EVENTS)
    home.land()
    before = home.events("*")
    path.write_bytes(b"no longer Parquet")
    assert home.events("*") == before
    path.unlink()
    assert home.events("*") == before


def test_a_damaged_file_is_set_aside_and_leaves_nothing(tmp_path):
    home = Home(tmp_path)
    path = home.drop_parquet("generic/a.parquet", EVENTS.replace("range(4)", "range(50000)"))
    content = bytearray(path.read_bytes())
    content[200:2000] = os.urandom(1800)
    path.write_bytes(bytes(content))
    home.drop("generic/b.csv", HEADER + ROW)
    result = home.land()
    assert [name for name, _ in result.set_aside] == ["generic/a.parquet"]
    home.land()
    assert kept_files(home) == []
    assert home.rows("select count(*) from raw.generic_events") == [(1,)]


@pytest.mark.parametrize(
    "column", ["event_id", "campaign", "properties", "sequence", "occurred_at", "value", "order_id"]
)
def test_each_column_is_read_to_its_end_when_a_file_lands(tmp_path, column):
    home = Home(tmp_path)
    text = "cast(gen_random_uuid() as varchar)"
    path = home.drop_parquet(
        "generic/a.parquet",
        f"select {text} as visitor_id, {text} as event_id, {text} as campaign, 'x' as event_name, "
        "timestamp '2026-01-05' + to_seconds(hash(n) % 9999) as occurred_at, "
        f"hash(n) % 999 as sequence, cast(hash(n) % 999 as decimal(9, 2)) as value, "
        f"'{{\"a\": \"' || {text} || '\"}}' as properties, hash(n) % 99999 as order_id "
        "from range(9000) as t(n)",
    )
    with duckdb.connect() as con:
        ((start, size),) = con.execute(
            "select coalesce(dictionary_page_offset, data_page_offset), total_compressed_size "
            "from parquet_metadata(?) where path_in_schema = ?",
            [str(path), column],
        ).fetchall()
    content = bytearray(path.read_bytes())
    content[start : start + size] = os.urandom(size)
    path.write_bytes(bytes(content))
    assert [name for name, _ in home.land().set_aside] == ["generic/a.parquet"]


def test_an_undeclared_column_may_have_any_name(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet(
        "ga4/a.parquet",
        "select '20260105' as event_date, 1767607200000000 + n as event_timestamp, 'page_view' as "
        "event_name, 'v' || n as user_pseudo_id, 'no time' as c_event_timestamp, "
        "8 as r_event_name, 9 as g_user_pseudo_id, 10 as t_load_id from range(4) as t(n)",
    )
    assert home.land().rows == 4
    assert len(kept_files(home)) == 1
    assert home.rows("select kept_is_clean from raw.loads") == [(True,)]
    assert home.rows("select distinct event_name from raw.ga4_events") == [("page_view",)]


def test_the_view_is_made_anew_once_for_all_files_of_a_landing(tmp_path, monkeypatch):
    home = Home(tmp_path)
    for number in range(5):
        home.drop_parquet(f"generic/{number}.parquet", EVENTS.replace("'v'", f"'{number}'"))
    made = []
    create_view = kept.create_view
    monkeypatch.setattr(
        kept, "create_view", lambda *given: made.append(given[2]) or create_view(*given)
    )
    assert home.land().rows == 20
    assert made == ["generic"]
    assert home.rows("select count(*) from raw.generic_events") == [(20,)]


@pytest.mark.parametrize(
    ("failure", "ends"),
    [
        (duckdb.FatalException("the database was invalidated"), False),
        (OSError(28, "No space left on device"), True),
    ],
)
def test_files_copied_before_one_fails_stay(tmp_path, monkeypatch, failure, ends):
    home = Home(tmp_path)
    for name in ("a", "b"):
        home.drop_parquet(f"generic/{name}.parquet", EVENTS.replace("'v'", f"'{name}'"))
    check = kept.check

    def fails_at_b(con, folder, files):
        if any("/b.parquet" in file.path for file in files):
            raise failure
        return check(con, folder, files)

    monkeypatch.setattr(kept, "check", fails_at_b)
    if ends:
        with pytest.raises(IntentMapError, match="full"):
            home.land()
    else:
        assert [name for name, _ in home.land().set_aside] == ["generic/b.parquet"]
    assert home.rows("select visitor_id[1], count(*) from raw.generic_events group by all") == [
        ("a", 4)
    ]


def test_a_copy_of_a_killed_run_is_removed_and_the_file_lands(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.drop_parquet("generic/a.parquet", EVENTS)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept, "create_view", killed)
        with pytest.raises(KeyboardInterrupt):
            home.land()
    assert len(kept_files(home)) == 1
    home.drop("generic/0.csv", HEADER + ROW)
    home.land()
    assert len(kept_files(home)) == 1
    assert home.rows("select count(*) from raw.generic_events") == [(5,)]


def test_a_home_that_moved_reads_its_own_files(tmp_path):
    home = Home(tmp_path / "one")
    home.drop_parquet("generic/a.parquet", EVENTS)
    home.land()
    shutil.move(tmp_path / "one", tmp_path / "two")
    moved = Home(tmp_path / "two")
    assert moved.land().rows == 0
    assert moved.rows("select count(*) from raw.generic_events") == [(4,)]


def test_a_kept_file_that_is_gone_is_named(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet("generic/a.parquet", EVENTS)
    home.land()
    (path,) = kept_files(home)
    path.unlink()
    with pytest.raises(IntentMapError, match=r"a\.parquet is gone"):
        home.land()


def test_a_night_opens_only_the_files_that_arrived(tmp_path):
    home = Home(tmp_path)
    for number in range(3):
        home.drop_parquet(f"generic/{number}.parquet", EVENTS.replace("'v' ||", f"'{number}' ||"))
    home.land()
    with duckdb.connect(str(home.settings.warehouse)) as con:
        ((_, plan),) = con.execute(
            "explain analyze select visitor_id from raw.generic_events where load_id > 2"
        ).fetchall()
    assert "Total Files Read: 1" in " ".join(plan.replace("│", " ").split())


def test_a_column_declared_later_is_added_beneath_the_view(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet("generic/a.parquet", EVENTS)
    home.land()
    home.rows("alter table raw.generic_events_rows drop column country")
    home.land()
    assert home.rows("select count(*), count(country) from raw.generic_events") == [(4, 0)]


def test_the_moment_of_landing_is_kept_to_the_microsecond(tmp_path, monkeypatch):
    moment = datetime(2026, 1, 6, 3, 0, 0, 123457)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment.replace(tzinfo=tz)

    monkeypatch.setattr(landing_warehouse, "datetime", Clock)
    home = Home(tmp_path)
    home.drop_parquet("generic/a.parquet", EVENTS)
    home.land()
    assert home.rows("select distinct landed_at from raw.generic_events") == [(moment,)]


def test_no_row_is_joined_to_find_placeholders(tmp_path):
    """A long `in` becomes a join of all rows; it took a third of the check of large files."""
    home = Home(tmp_path)
    path = home.drop_parquet("generic/a.parquet", CLEAN.format(", '70' || n as event_id"))
    home.drop_parquet("generic/b.parquet", CLEAN.format(", '' as event_id"))
    home.land()
    reader = parquet_rows([str(path)])
    with duckdb.connect() as con:
        relation = kept._relation(con, reader, reader)
        ((_, check),) = con.execute(
            f"explain {checking_select('generic', relation, '0')}"
        ).fetchall()
    ((_, view),) = home.rows("explain select event_id from raw.generic_events")
    for plan in (check, view):
        assert "parquet" in plan.lower()
        assert "join" not in plan.lower()
