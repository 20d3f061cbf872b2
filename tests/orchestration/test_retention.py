"""Which rows are old, what a dry run says of them, and what goes."""

import os
import time
from pathlib import Path

import duckdb
import pytest
from test_landing_home import HEADER, ROW, Home

from orchestration.errors import IntentMapError
from orchestration.landing import kept
from orchestration.policy import check_policy
from orchestration.removal import RETIRED
from orchestration.retention import (
    apply_retention,
    give_up_retired_rows,
    refuse_to_build_anew,
    say_what_counts_no_more,
)

EVENTS = (
    "select case when n > 1 then 'v' || n end as visitor_id, timestamp '2026-01-05' as "
    "occurred_at, 'page_view' as event_name from range(5) as t(n)"
)


def home_of_three_ages(folder, monkeypatch, **limits: int) -> Home:
    """Loads 1 and 2 (kept in place) of a year ago, 3 of ten days ago, 4 not built yet."""
    home = Home(folder, **limits)
    with monkeypatch.context() as patched:
        patched.setattr(kept, "KEPT_FROM_BYTES", 1)
        home.drop("generic/1.csv", HEADER + ROW + ROW.replace("v1", ""))
        home.drop_parquet("generic/2.parquet", EVENTS)
        home.land()
        home.drop("generic/3.csv", HEADER + ROW + ROW.replace("v1", "") * 2)
        home.land()
        home.drop("generic/4.csv", HEADER + ROW * 4)
        home.drop("generic/x.xyz", "unknown")
        home.land()
    home.rows(
        "update raw.loads set landed_at = now()::timestamp - case when load_id < 3 then "
        "interval 365 day else interval 10 day end"
    )
    home.rows("create schema intermediate")
    home.rows(
        "create table intermediate.int_event_receipts as select 'generic' as source_system, "
        "load_id, row_number, case when visitor_id is null then 'refused' else 'accepted' end as "
        "outcome from raw.generic_events where load_id < 4"
    )
    home.rows("insert into raw.watermarks values ('a', 'generic', 3), ('b', 'generic', 4)")
    note = home.settings.landing / "_set_aside" / "generic" / "x.xyz.reason.txt"
    long_ago = time.time() - 40 * 86400
    os.utime(note, (long_ago, long_ago))
    return home


def left(home: Home) -> list[tuple]:
    return home.rows("select load_id, row_number from raw.generic_events order by all")


def apply(home: Home, **arguments) -> list[str]:
    said: list[str] = []
    apply_retention(home.settings, report=said.append, **arguments)
    return said


def names(home: Home) -> list[str]:
    return sorted(path.name for path in home.settings.landing.rglob("*.*") if path.is_file())


def test_old_rows_go_with_their_files_and_what_was_not_built_stays(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, raw_retention_days=30)
    assert len(left(home)) == 14
    said = apply(home)
    assert {load for load, _ in left(home)} == {3, 4}
    assert names(home) == ["3.csv", "4.csv", "x.xyz", "x.xyz.reason.txt"]
    assert not list((home.settings.warehouse.parent / "raw").rglob("*.parquet"))
    assert any("7 rows of 2 files went (all rows)" in line for line in said)
    assert home.rows("select load_id, row_count, reason from raw.removals order by 1") == [
        (1, 2, RETIRED), (2, 5, RETIRED)
    ]  # fmt: skip
    # files that lie there again bring nothing back
    assert home.land().files_landed == 0
    assert apply(home)[-1] == "Nothing is older than that."


def test_copies_of_old_files_go_with_them_and_what_took_the_name_of_one_stays(
    tmp_path, monkeypatch
):
    home = home_of_three_ages(tmp_path, monkeypatch, raw_retention_days=30)
    old = (home.settings.landing / "generic" / "1.csv").read_bytes()
    home.drop("generic/copy.csv", old)
    home.drop("generic/taken.csv", old)
    home.land()
    home.drop("generic/taken.csv", HEADER + ROW.replace("v1", "v9"))
    home.land()
    assert {"copy.csv", "taken.csv"} <= {*names(home)}
    assert any("3 files below landing/" in line for line in apply(home))
    assert names(home) == ["3.csv", "4.csv", "taken.csv", "x.xyz", "x.xyz.reason.txt"]


def test_files_that_could_not_be_removed_are_named_and_go_with_the_next_run(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, raw_retention_days=30)
    unlink = Path.unlink

    def refused(path, missing_ok=False):
        if path.name == "1.csv":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        with pytest.raises(IntentMapError, match=r"1 file cannot be removed: \S*1\.csv \(Perm"):
            apply(home)
    assert names(home) == ["1.csv", "3.csv", "4.csv", "x.xyz", "x.xyz.reason.txt"]
    # no byte of what went stays because of it
    assert home.rows("select free_blocks from pragma_database_size()") == [(0,)]
    assert any("1 file below landing/" in line for line in apply(home))
    assert names(home) == ["3.csv", "4.csv", "x.xyz", "x.xyz.reason.txt"]


def test_refused_rows_go_earlier_and_the_others_keep_their_numbers(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, refused_retention_days=5)
    apply(home)
    assert left(home) == [(1, 1), (2, 3), (2, 4), (2, 5), (3, 1), *((4, n) for n in range(1, 5))]
    assert names(home) == ["4.csv"]
    refuse_to_build_anew(home.settings, "Nothing of value was lost.")


def test_building_anew_says_how_many_refused_rows_count_no_more(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, refused_retention_days=5)
    said: list[str] = []
    say_what_counts_no_more(home.settings, said.append)
    assert said == []
    assert "until everything is built anew" in apply(home)[-1]
    say_what_counts_no_more(home.settings, said.append)
    assert [line.split(" that ")[0] for line in said] == ["5 refused rows"]
    # as building anew leaves them
    home.rows(
        "delete from intermediate.int_event_receipts as held where not exists (from "
        "raw.generic_events as raw where (raw.load_id, raw.row_number) = "
        "(held.load_id, held.row_number))"
    )
    say_what_counts_no_more(home.settings, said.append)
    assert len(said) == 1


def test_old_rows_that_no_night_has_read_stay_and_are_named(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, raw_retention_days=30)
    home.rows("update raw.watermarks set load_id = 1 where source_system = 'generic'")
    home.rows("update raw.loads set landed_at = landed_at - interval 365 day where load_id = 3")
    said = apply(home)
    assert {load for load, _ in left(home)} == {2, 3, 4}
    rows = sum(load in (2, 3) for load, _ in left(home))
    stay = f"  {rows} rows of generic are older than raw_retention_days and stay: "
    assert f"{stay}no night has read them." in said


def test_old_rows_of_a_source_that_is_not_named_are_said_to_stay(tmp_path, monkeypatch):
    home = home_of_three_ages(
        tmp_path, monkeypatch, raw_retention_days=30, event_sources=["ga4", "segment"]
    )
    home.rows("delete from raw.watermarks")
    assert [line for line in apply(home) if "go" in line or "stay" in line] == [
        "  7 rows of generic are older than raw_retention_days and stay: no night has read them, "
        "since event_sources does not name generic.",
        "Nothing goes.",
    ]
    assert len(left(home)) == 14


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path, monkeypatch):
    limits = {"raw_retention_days": 30, "refused_retention_days": 5}
    home = home_of_three_ages(tmp_path, monkeypatch, **limits)
    rows, files, warehouse = left(home), names(home), home.rows("from raw.loads order by all")
    would = apply(home, dry_run=True)
    assert (left(home), names(home), home.rows("from raw.loads order by all")) == (
        rows, files, warehouse
    )  # fmt: skip
    assert any("7 rows of 2 files would go (all rows)" in line for line in would)
    assert any("2 rows of 1 file would go (refused rows only)" in line for line in would)
    assert apply(home) == [line.replace("would go", "went") for line in would]


def test_building_anew_is_refused_until_the_retired_rows_are_given_up(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch, raw_retention_days=30)
    refuse_to_build_anew(home.settings, "Rules changed.")
    apply(home)
    with pytest.raises(IntentMapError, match=r"Rules changed\. .* 7 rows landed up to \d{4}-"):
        refuse_to_build_anew(home.settings, "Rules changed.")
    home.rows("create table raw.build_state (name varchar, value varchar)")
    home.rows("insert into raw.build_state values ('a model', '{}')")
    said: list[str] = []
    assert give_up_retired_rows(home.settings, report=said.append) == 7
    assert "marts that came of them are lost" in said[0]
    refuse_to_build_anew(home.settings, "Rules changed.")
    # so that the next night does it
    assert home.rows("from raw.build_state") == []


def test_without_retired_rows_nothing_is_given_up(tmp_path):
    said = []
    home = Home(tmp_path)
    assert give_up_retired_rows(home.settings, said.append) == 0
    assert said == ["There is no warehouse yet, so nothing is given up."]
    assert not home.settings.warehouse.exists()
    home.settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(home.settings.warehouse)).close()
    assert give_up_retired_rows(home.settings, said.append) == 0
    assert said[-1] == "No rows were retired, so nothing is given up."


def test_without_a_limit_nothing_is_old(tmp_path, monkeypatch):
    home = home_of_three_ages(tmp_path, monkeypatch)
    assert "all rows are kept" in apply(home)[0]
    assert len(left(home)) == 14


@pytest.mark.parametrize(("days", "is_allowed"), [(0, True), (30, True), (29, False), (-1, False)])
def test_fewer_than_thirty_days_of_raw_rows_are_refused(tmp_path, days, is_allowed):
    settings = Home(tmp_path, raw_retention_days=days).settings
    if is_allowed:
        check_policy(settings)
    else:
        with pytest.raises(IntentMapError, match=r"raw_retention_days is -?[0-9]+; allowed is 0"):
            check_policy(settings)
