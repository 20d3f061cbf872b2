"""Health at a glance: each check warns where it should and not elsewhere, and never waits."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
import yaml
from dagster import AssetCheckSeverity

from orchestration import cli, erasure, fingerprint, health, layout
from orchestration.defs.health import result
from orchestration.errors import IntentMapError
from orchestration.landing.declaration import create_raw_tables
from orchestration.policy import PROJECT_FILE
from orchestration.settings import PROJECT_ROOT, Settings

# a Friday; the quarter going on began on 1 October
NOW = datetime(2026, 11, 20, 4, 0)
TODAY = NOW.date()
QUARTER = date(2026, 10, 1)


class Home:
    """A home with a warehouse and published tables, made by hand."""

    def __init__(self, folder, empty_warehouse):
        self.settings = Settings(home=folder, seeds=PROJECT_ROOT / "seeds")
        self.settings.warehouse.parent.mkdir(parents=True)
        self.settings.serving.mkdir()
        shutil.copy(empty_warehouse, self.settings.warehouse)
        self.load_id = 0

    def arrive(self, *moments, source="generic", rows=10, columns=("a", "b"), status="landed"):
        with duckdb.connect(str(self.settings.warehouse)) as con:
            for moment in moments:
                self.load_id += 1
                con.execute(
                    "insert into raw.loads (load_id, source, file_name, row_count, status, "
                    "landed_at, arrived_at, file_columns) values (?, ?, ?, ?, ?, ?, ?, ?)",
                    [self.load_id, source, f"{self.load_id}.csv", rows, status, moment, moment,
                     list(columns)],
                )  # fmt: skip

    def arrive_daily(self, days, **load):
        moments = [NOW - timedelta(days=ago, hours=1) for ago in range(days, -1, -1)]
        self.arrive(*moments, **load)

    def receipts(self, raw, accepted, duplicate=0, refused=0, seen=1):
        with duckdb.connect(str(self.settings.warehouse)) as con:
            con.execute(f"insert into raw.generic_events (load_id) select 1 from range({raw})")
            con.execute(
                f"insert into raw.watermarks values ('int_event_counts', 'generic', {seen})"
            )
            for outcome, count in (
                ("accepted", accepted), ("duplicate", duplicate), ("refused", refused)
            ):  # fmt: skip
                con.execute(
                    "insert into intermediate.int_event_counts "
                    f"select 'generic', 1, '{outcome}', {count} where {count} > 0"
                )

    def publish(
        self,
        days=None,
        versions=(QUARTER,),
        published_at=NOW - timedelta(hours=1),
        run_id="night",
        values=((5, 1),),
    ):
        """days: date → (raw, refused), or with those refused for want of a currency's rate. values:
        of the micro-conversions in each version, with their increments."""
        served = self.settings.serving / "intent_map.duckdb"
        served.unlink(missing_ok=True)
        with duckdb.connect(str(served)) as con:
            con.execute("create schema marts")
            con.execute(
                "create table marts.mart_event_audit "
                "(date date, source_system varchar, raw bigint, refused bigint, "
                "refused_currency_without_rate bigint)"
            )
            rows = [
                f"('{day}', 'generic', {raw}, {refused}, {sum(without_rate)})"
                for day, (raw, refused, *without_rate) in (days or {}).items()
            ]
            if rows:
                con.execute(f"insert into marts.mart_event_audit values {', '.join(rows)}")
            con.execute(
                "create table marts.mart_micro_values (value_version varchar, valid_from date, "
                "value decimal(18, 4), incremental_value decimal(18, 4))"
            )
            con.execute(
                "insert into marts.mart_micro_values values ('(weights)', '1970-01-01', 5, null)"
            )
            for version in versions:
                for value, increment in values:
                    con.execute(
                        "insert into marts.mart_micro_values values (?, ?, ?, ?)",
                        [str(version), version, value, increment],
                    )
        manifest = {
            "run_id": run_id,
            "published_at": published_at.replace(tzinfo=UTC).isoformat(),
            "serving_bytes": served.stat().st_size,
        }
        (self.settings.serving / "manifest.json").write_text(json.dumps(manifest))
        self.write_page(published_at)

    def write_page(self, moment):
        page = self.settings.serving / "dashboard.html"
        page.touch()
        os.utime(page, (moment.replace(tzinfo=UTC).timestamp(),) * 2)

    def found(self, name, now=NOW, run_id=None):
        """severity and sentence of the only finding of that name."""
        (one,) = [f for f in health.look(self.settings, now, run_id) if f.name == name]
        return one.severity, one.sentence


@pytest.fixture(scope="module")
def empty_warehouse(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "intent_map.duckdb"
    with duckdb.connect(str(path)) as con:
        create_raw_tables(con)
        con.execute("create schema intermediate")
        con.execute(
            "create table intermediate.int_event_counts "
            "(source_system varchar, load_id bigint, outcome varchar, events bigint)"
        )
    return path


@pytest.fixture
def home(tmp_path, empty_warehouse):
    return Home(tmp_path / "heim mit ümlaut", empty_warehouse)


def usual_days(rows=1000, refused=0, weeks=5):
    """Every day up to today with the same rows."""
    return {TODAY - timedelta(ago): (rows, refused) for ago in range(7 * weeks, -1, -1)}


def test_an_empty_home_is_not_broken_and_none_is_made(tmp_path):
    settings = Settings(home=tmp_path / "none", seeds=PROJECT_ROOT / "seeds")
    findings = health.look(settings, NOW)
    assert [(f.name, f.severity) for f in findings] == [
        ("failed_loads", "ok"),
        ("publish", "warn"),
        ("erasure", "ok"),
    ]
    assert not settings.home.exists()


def test_every_finding_belongs_to_a_check(home):
    home.arrive_daily(10)
    home.receipts(10, 10)
    home.publish(usual_days())
    names = {finding.name for finding in health.look(home.settings, NOW)}
    # no table of another database is read here
    assert names == set(health.CHECKS) - {"attached"}
    assert health.worst(health.look(home.settings, NOW)) == "ok"


@pytest.mark.parametrize(
    ("hours", "severity"), [(1, "ok"), (35, "ok"), (37, "warn"), (71, "warn"), (73, "error")]
)
def test_a_daily_source_is_late_after_36_hours_and_missing_after_72(home, hours, severity):
    home.arrive_daily(20)
    found, sentence = home.found("freshness", NOW - timedelta(hours=1) + timedelta(hours=hours))
    assert found == severity
    assert "usually comes within 24 h" in sentence


def test_who_never_delivers_at_weekends_is_not_late_on_monday(home):
    days = [NOW - timedelta(ago) for ago in range(28, 0, -1)]
    home.arrive(*(day for day in days if day.weekday() < 5))
    # last Friday's file is three days old on Monday
    assert home.found("freshness", datetime(2026, 11, 23, 3, 0))[0] == "ok"
    assert home.found("freshness", datetime(2026, 11, 26, 3, 0))[0] == "warn"


def test_one_outage_does_not_excuse_the_next(home):
    ago = (28, 27, 26, 25, 24, 23, 22, *range(14, 3, -1))
    home.arrive(*(NOW - timedelta(days) for days in ago))
    assert home.found("freshness")[0] == "error"


@pytest.mark.parametrize(("age", "is_told"), [(1, False), (3, False), (4, True), (59, True)])
def test_files_that_come_in_time_without_new_events_are_told(home, age, is_told):
    home.arrive_daily(20)
    home.publish({TODAY - timedelta(100): (9, 0), TODAY - timedelta(age): (9, 8), TODAY: (5, 5)})
    found = [f for f in health.look(home.settings, NOW) if f.name == "freshness"]
    assert [f.severity for f in found] == ["ok", "warn"][: 1 + is_told]
    if is_told:
        newest = TODAY - timedelta(age)
        assert found[1].sentence.startswith(
            f"The newest events are of {newest}, but the newest file came on {TODAY}: {age} days"
        )


def test_a_night_that_will_build_anew_is_told_before_it_comes(home, monkeypatch):
    home.arrive(NOW)
    assert home.found("rules") == ("ok", health.CHECKS["rules"])
    monkeypatch.setattr("orchestration.health.rules.foreseen", lambda _: "It will.")
    assert home.found("rules") == ("warn", "It will. It takes as long as the first one did.")
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute(
            "insert into raw.removals (source, load_id, row_count, reason, removed_at) "
            "values ('generic', 1, 7, 'retired', ?)",
            [NOW],
        )
    severity, sentence = home.found("rules")
    assert severity == "error"
    assert sentence.startswith("It will. That needs every raw row, but 7 rows landed up to 2026-")


def test_what_cannot_be_told_of_the_rules_is_no_fault(home, monkeypatch):
    def held(_):
        raise IntentMapError("Nobody knows now.")

    monkeypatch.setattr("orchestration.health.rules.foreseen", held)
    assert home.found("rules") == ("ok", "Nobody knows now.")


def test_two_arrivals_are_too_few_to_know_what_is_usual(home):
    home.arrive(NOW - timedelta(10))
    home.arrive(NOW - timedelta(9))
    assert home.found("freshness")[0] == "ok"
    assert "too few" in home.found("freshness")[1]


def test_a_source_that_is_not_in_use_is_not_looked_at(home):
    home.arrive_daily(10, source="ga4")
    settings = Settings(
        home=home.settings.home,
        seeds=home.settings.seeds,
        dbt_vars={"event_sources": ["generic"]},
    )
    later = NOW + timedelta(30)
    assert "freshness" in {f.name for f in health.look(home.settings, later)}
    assert "freshness" not in {f.name for f in health.look(settings, later)}


def test_a_file_set_aside_is_a_warning_until_it_is_taken_away(home):
    home.arrive_daily(3)
    folder = home.settings.landing / "_set_aside" / "generic"
    folder.mkdir(parents=True)
    (folder / "broken.csv").write_text("x")
    (folder / "broken.csv.reason.txt").write_text("why")
    severity, sentence = home.found("failed_loads")
    assert severity == "warn"
    assert "1 of its files could not be landed: broken.csv." in sentence
    assert "landed since" not in sentence
    home.arrive(NOW, status="set_aside", rows=0)
    severity, sentence = home.found("failed_loads")
    assert severity == "error"
    assert "landed: broken.csv. Nothing has landed since. The reason" in sentence
    (folder / "broken.csv").unlink()
    assert home.found("failed_loads")[0] == "ok"


def test_the_name_of_a_file_set_aside_is_one_short_line_of_text(home):
    folder = home.settings.landing / "_set_aside" / "generic"
    folder.mkdir(parents=True)
    for name in (b"a\nb.csv", b"lat\xfcn.csv", b"x" * 200 + b".csv"):
        (folder / os.fsdecode(name)).write_text("x")
    _, sentence = home.found("failed_loads")
    shown = ("a b.csv", r"lat\xfcn.csv", "x" * 59 + "\N{HORIZONTAL ELLIPSIS}")
    assert f"landed: {', '.join(shown)}. The reason" in sentence


def test_columns_that_appear_or_vanish_are_named(home):
    home.arrive(NOW - timedelta(3), columns=("a", "b", "only_once"))
    home.arrive(NOW - timedelta(2), columns=("a", "b"))
    home.arrive(NOW - timedelta(1), columns=("a",))
    # of the same day, as Segment's tables come
    home.arrive(NOW - timedelta(1), columns=("c",))
    severity, sentence = home.found("schema_drift")
    assert severity == "warn"
    assert sentence == "In the files that arrived on 2026-11-19 new are c and missing are b."
    home.arrive(NOW, columns=("a", "a\nb" + "c" * 90))
    shown = "a b" + "c" * 56 + "\N{HORIZONTAL ELLIPSIS}"
    assert f"new are {shown}" in home.found("schema_drift")[1]


def test_columns_as_before_are_well(home):
    home.arrive_daily(3)
    assert home.found("schema_drift") == ("ok", "2 columns, as before.")


@pytest.mark.parametrize(
    ("rows", "severity"),
    [(1000, "ok"), (500, "ok"), (499, "warn"), (2001, "warn"), (100, "warn"), (99, "error")],
)
def test_the_last_whole_day_is_compared_with_the_same_weekday(home, rows, severity):
    days = usual_days()
    # other weekdays are no norm
    days = {day: (n if day.weekday() == 3 else 50 * n, r) for day, (n, r) in days.items()}
    yesterday = TODAY - timedelta(1)
    assert yesterday.weekday() == 3
    home.publish(days | {yesterday: (rows, 0)})
    found, sentence = home.found("volume")
    assert found == severity
    assert "on Thursday, 2026-11-19, usually 1,000" in sentence


def test_a_day_without_any_row_counts_as_such_in_the_norm(home):
    days = usual_days()
    for weeks in (1, 2, 3):
        del days[TODAY - timedelta(1 + 7 * weeks)]
    home.publish(days)
    assert "usually 0" in home.found("volume")[1]


def test_few_rows_are_not_judged(home):
    home.publish(usual_days(rows=99) | {TODAY - timedelta(1): (1, 0)})
    assert home.found("volume")[0] == "ok"
    home.publish(usual_days(rows=1000, weeks=2) | {TODAY - timedelta(1): (1, 0)})
    assert home.found("volume")[0] == "ok"


def test_the_shortest_history_that_policy_takes_has_weekdays_enough_for_a_norm(home):
    policy = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))["vars"]["policy"]
    shortest = policy["health_history_days"]["minimum"]
    home.settings = replace(home.settings, dbt_vars={"health_history_days": shortest})
    home.publish(usual_days() | {TODAY - timedelta(1): (1, 0)})
    severity, sentence = home.found("volume")
    assert (severity, sentence) == ("error", "1 rows on Thursday, 2026-11-19, usually 1,000.")


def test_a_rise_of_the_refused_share_is_a_warning(home):
    home.publish(usual_days(refused=50) | {TODAY - timedelta(1): (1000, 150)})
    assert home.found("refused_rows")[0] == "ok"
    home.publish(usual_days(refused=50) | {TODAY - timedelta(1): (1000, 151)})
    severity, sentence = home.found("refused_rows")
    assert severity == "warn"
    assert "15.1% of the rows of 2026-11-19 were refused, usually 5.0%" in sentence


def test_money_in_a_currency_without_a_rate_is_told_however_few_rows_and_usual(home):
    home.publish({TODAY: (3, 2, 2)})
    severity, sentence = home.found("refused_rows")
    assert severity == "warn"
    assert "2 of the rows of 2026-11-20 were refused for money in a currency" in sentence
    assert "reporting_currency" in sentence
    home.publish({TODAY - timedelta(1): (3, 1, 1), TODAY: (3, 0, 0)})
    assert "1 of the rows of 2026-11-19 were" in home.found("refused_rows")[1]


def test_rows_that_are_all_refused_are_told_however_few_and_without_a_usual_share(home):
    home.publish({TODAY: (3, 3)})
    assert home.found("refused_rows") == (
        "warn",
        "None of the 3 rows of 2026-11-20 was accepted; mart_event_audit has the reasons.",
    )
    home.publish({TODAY - timedelta(2): (2000, 2000), TODAY: (500, 500)})
    _, sentence = home.found("refused_rows")
    assert "None of the 2,500 rows of 2026-11-18 to 2026-11-20 was accepted" in sentence
    # money without a rate is the better word for it
    home.publish({TODAY: (3, 3, 1)})
    assert "1 of the rows of 2026-11-20 were refused for money" in home.found("refused_rows")[1]
    home.publish({TODAY - timedelta(1): (3, 2), TODAY: (3, 3)})
    assert not [it for it in health.look(home.settings, NOW) if it.name == "refused_rows"]


def test_money_without_a_rate_is_told_as_long_as_the_days_are_of_the_usual(home):
    quiet = {TODAY - timedelta(days): (3, 0, 0) for days in range(28)}
    old = {TODAY - timedelta(28): (3, 1, 1), TODAY - timedelta(20): (3, 2, 2)}
    home.publish(quiet | old)
    severity, sentence = home.found("refused_rows")
    assert severity == "warn"
    assert "3 of the rows of 2026-10-23 to 2026-10-31 were refused for money in a" in sentence
    home.publish(quiet | {TODAY - timedelta(29): (3, 1, 1)})
    assert not [it for it in health.look(home.settings, NOW) if it.name == "refused_rows"]


def test_a_row_without_receipt_is_an_error_and_one_not_built_yet_is_none(home):
    home.arrive_daily(3)
    home.receipts(10, 7, 2, 1)
    assert home.found("reconciliation") == (
        "ok",
        "10 raw rows = 7 accepted + 2 duplicate + 1 refused.",
    )
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute("insert into raw.generic_events (load_id) values (2)")
    assert home.found("reconciliation")[1].endswith("refused; 1 more wait for the next run.")
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute("insert into raw.generic_events (load_id) values (1)")
    assert home.found("reconciliation")[0] == "error"


@pytest.mark.parametrize(
    ("reason", "left", "counted", "severity"),
    [
        ("retired", 6, 10, "ok"),
        ("refused", 6, 10, "ok"),
        # everything was built anew since
        ("refused", 6, 6, "ok"),
        ("retired", 6, 11, "error"),
        ("retired", 6, 5, "error"),
        # these are not counted any more
        ("erased", 6, 10, "error"),
        ("given_up", 6, 10, "error"),
    ],
)
def test_rows_that_went_by_their_age_stay_counted(home, reason, left, counted, severity):
    home.arrive_daily(3)
    home.receipts(left, counted)
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute(
            "create or replace table raw.removals as "
            "select 'generic' as source, 1::bigint as load_id, 4::bigint as row_count, "
            "$1 as reason "
            "union all select 'ga4', 1, 9, $1 union all select 'generic', 2, 9, $1",
            [reason],
        )
    assert home.found("reconciliation")[0] == severity


@pytest.mark.parametrize(
    ("versions", "today", "severity"),
    [
        ([QUARTER], date(2026, 11, 20), "ok"),
        ([], date(2026, 11, 20), "warn"),
        ([date(2026, 7, 1)], date(2026, 10, 3), "ok"),
        ([date(2026, 7, 1)], date(2026, 10, 4), "warn"),
        ([date(2026, 4, 1)], date(2026, 10, 4), "error"),
    ],
)
def test_the_version_of_the_quarter_is_missed_after_three_days(home, versions, today, severity):
    home.publish(versions=versions)
    assert home.found("value_version", datetime(today.year, today.month, today.day))[0] == severity


@pytest.mark.parametrize(
    ("first", "refused", "severity"),
    [(QUARTER, 0, "ok"), (QUARTER - timedelta(1), 0, "warn"), (QUARTER, 10, "warn")],
)
def test_no_version_is_missed_before_anything_can_be_valued(home, first, refused, severity):
    home.publish(days={first: (10, refused)}, versions=[])
    found, sentence = home.found("value_version")
    assert found == severity
    assert ("weights speak until that of 2027-01-01" in sentence) == (severity == "ok")
    # which writes none where no event was accepted
    assert ("make quarterly" in sentence) == (first < QUARTER)


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ([(0, 0), (9, -2)], "ok"),
        ([(5, 0), (0, 0)], "warn"),
        ([(5, None)], "warn"),
        # no goal has money
        ([(0, 0)], "ok"),
    ],
)
def test_a_version_by_which_no_session_has_a_value_is_told(home, values, severity):
    home.publish(versions=[QUARTER], values=values)
    found, sentence = home.found("value_version")
    assert found == severity
    assert ("values no session" in sentence) == (severity == "warn")


@pytest.mark.parametrize(("hours", "severity"), [(30, "ok"), (31, "warn"), (61, "error")])
def test_a_publish_is_overdue_after_30_hours(home, hours, severity):
    home.publish(published_at=NOW - timedelta(hours=hours))
    assert home.found("publish")[0] == severity


def test_a_served_file_that_is_not_the_one_of_the_manifest_is_told(home):
    home.publish()
    manifest = home.settings.serving / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"serving_bytes": ', '"serving_bytes": 1'))
    assert home.found("publish")[0] == "warn"
    manifest.write_text("{")
    assert home.found("publish")[0] == "error"


def test_a_page_that_is_missing_or_older_than_what_is_published_is_told(home):
    home.publish(published_at=datetime(2026, 11, 20, 3))
    assert home.found("dashboard")[0] == "ok"
    home.write_page(datetime(2026, 11, 20, 2, 59, 59))
    severity, sentence = home.found("dashboard")
    assert severity == "warn"
    assert sentence.startswith("The page is of 2026-11-20 02:59 UTC, older than what is published.")
    (home.settings.serving / "dashboard.html").unlink()
    severity, sentence = home.found("dashboard")
    assert severity == "warn"
    assert "dashboard.html is not there. Unless a run is at work, intent-map dashboard" in sentence


def test_the_run_that_published_may_look_before_it_writes_the_page(home):
    home.publish(run_id="tonight")
    (home.settings.serving / "dashboard.html").unlink()
    assert home.found("dashboard", run_id="tonight")[0] == "ok"
    assert home.found("dashboard", run_id="health at 08:00")[0] == "warn"


def test_an_erasure_that_did_not_end_is_a_warning(home, monkeypatch):
    assert home.found("erasure")[0] == "ok"
    ids = home.settings.home.parent / "ids.txt"
    ids.write_text("somebody-gone\n")

    def killed(settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "compact_warehouse", killed)
        with pytest.raises(KeyboardInterrupt):
            erasure.erase_users(home.settings, ids, report=lambda _: None)
    severity, sentence = home.found("erasure")
    assert severity == "warn"
    assert "run `intent-map erase-user` again with the same file" in sentence
    erasure.erase_users(home.settings, ids, report=lambda _: None)
    assert home.found("erasure")[0] == "ok"


def test_disk_is_judged_against_a_copy_of_what_is_there(home, monkeypatch):
    home.publish()
    needed = home.settings.warehouse.stat().st_size
    needed += (home.settings.serving / "intent_map.duckdb").stat().st_size
    for free, severity in ((needed - 1, "error"), (2 * needed - 1, "warn"), (2 * needed, "ok")):
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _, free=free: type("Usage", (), {"free": free})
        )
        assert home.found("disk")[0] == severity


WRITER = """
    import sys, time
    from pathlib import Path
    from orchestration.locking import writer_lock
    from orchestration.settings import Settings
    import duckdb
    settings = Settings(home=Path(sys.argv[1]), seeds=Path(sys.argv[1]))
    with writer_lock(settings, "nightly_refresh"), duckdb.connect(str(settings.warehouse)):
        print("writing", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def writer(home):
    """Another process that writes the warehouse."""
    home.arrive_daily(5)
    home.publish(usual_days())
    health.look(home.settings, NOW)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(home.settings.home)],
        stdout=subprocess.PIPE, cwd=PROJECT_ROOT, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()


def test_looking_does_not_wait_for_a_writer_and_says_how_old_the_arrivals_are(home, writer):
    began = time.monotonic()
    later = NOW + timedelta(hours=40)
    severity, sentence = home.found("writer", later)
    assert time.monotonic() - began < 5
    assert severity == "ok"
    assert f"process {writer.pid} (" in sentence and "), nightly_refresh, since " in sentence
    assert sentence.endswith("Arrivals are those known at 2026-11-20 04:00 UTC.")
    # judged by the clock of now, from the note
    assert home.found("freshness", later)[0] == "warn"
    # and the served file is read as always
    assert home.found("volume", later)[0] == "ok"
    (home.settings.home / "health.json").unlink()
    assert home.found("writer")[1].endswith("Arrivals are shown when that is over.")


def test_a_warehouse_that_is_gone_is_an_error_where_marts_were_published(home):
    home.arrive_daily(5)
    home.publish(usual_days())
    health.look(home.settings, NOW)
    home.settings.warehouse.unlink()
    severity, sentence = home.found("warehouse")
    assert severity == "error"
    assert "is not there, though marts were published from it" in sentence
    assert sentence.endswith("Arrivals are those known at 2026-11-20 04:00 UTC.")
    home.settings.restoring.mkdir()
    assert "was killed, so there is no warehouse" in home.found("warehouse")[1]


def test_a_warehouse_of_a_newer_release_is_an_error(home):
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute(
            f"create table {layout.TABLE} as select '{layout.NOTE}' as name, "
            f"'{layout.LAYOUT + 1}' as value"
        )
    severity, sentence = home.found("warehouse")
    assert severity == "error"
    assert "made by a newer release" in sentence


def test_a_warehouse_that_cannot_be_read_is_an_error(home):
    home.arrive_daily(5)
    home.publish(usual_days())
    health.look(home.settings, NOW)
    home.settings.warehouse.write_bytes(b"not a database" * 1000)
    severity, sentence = home.found("warehouse")
    assert severity == "error"
    assert "cannot be opened" in sentence
    assert sentence.endswith("Arrivals are those known at 2026-11-20 04:00 UTC.")
    (home.settings.home / "health.json").unlink()
    assert home.found("warehouse")[0] == "error"


@pytest.mark.parametrize(
    "note",
    [
        b"\xff\xfe",
        b"{",
        b"[]",
        b"5",
        b'{"read_at": 5}',
        b'{"read_at": "2026-11-20T04:00:00+01:00"}',
        b'{"read_at": "2026-11-20T04:00:00", "later": 1}',
        b'{"read_at": "2026-11-20T04:00:00", "arrivals": []}',
        b'{"read_at": "2026-11-20T04:00:00", "arrivals": {"generic": [["2026-11-20"]]}}',
        b'{"read_at": "2026-11-20T04:00:00", "last_failed": 3}',
        b'{"read_at": "2026-11-20T04:00:00", "rows": {"generic": [1, 2, "x", 4, 5, 6]}}',
    ],
)
def test_a_note_that_is_none_is_as_if_there_were_none(home, note):
    home.settings.warehouse.parent.mkdir(exist_ok=True)
    home.settings.warehouse.write_bytes(b"not a database" * 1000)
    (home.settings.home / "health.json").write_bytes(note)
    assert home.found("warehouse")[1].endswith("Arrivals are shown when that is over.")
    assert home.found("failed_loads")[0] == "ok"


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_served_file_that_is_broken_is_one_finding_among_all(home, monkeypatch, capsys, content):
    for name in ("SEEDS", "VARS", "TARGET"):
        monkeypatch.delenv(f"INTENT_MAP_{name}", raising=False)
    monkeypatch.setenv("INTENT_MAP_HOME", str(home.settings.home))
    home.publish()
    (home.settings.serving / "intent_map.duckdb").write_bytes(content)
    severity, sentence = next(
        (f.severity, f.sentence) for f in health.look(home.settings, NOW) if f.name == "publish"
    )
    assert severity == "error"
    assert "intent_map.duckdb cannot be read: " in sentence
    assert sentence.endswith("intent-map publish writes it anew.")
    assert cli.main(["status"]) == cli.FAILED
    said = capsys.readouterr()
    assert not said.err
    for title in ("warehouse", "publish", "disk", "erasure"):
        assert re.search(rf"^\w+ +{title} ", said.out, re.MULTILINE), title
    assert not (home.settings.home / "logs").exists()


def test_status_ends_with_1_only_for_an_error(home, monkeypatch, capsys):
    for name in ("SEEDS", "VARS", "TARGET"):
        monkeypatch.delenv(f"INTENT_MAP_{name}", raising=False)
    monkeypatch.setenv("INTENT_MAP_HOME", str(home.settings.home))
    home.publish(published_at=datetime.now(UTC).replace(tzinfo=None), versions=[])
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "warn  value_version" in said
    assert "0 errors, 1 warning," in said
    assert max(map(len, said.splitlines())) <= 100
    home.publish()
    (home.settings.serving / "manifest.json").write_text("{}")
    assert cli.main(["status"]) == cli.FAILED
    assert "error publish" in capsys.readouterr().out


def test_dagster_shows_the_worst_of_a_check_with_all_its_figures():
    found = [
        health.Finding("freshness", "ok", "Well.", "ga4", {"days since arrival": 0.5}),
        health.Finding("freshness", "error", "Lost.", "generic", {"days since arrival": 9}),
    ]
    shown = result("freshness", found)
    assert (shown.passed, shown.severity) == (False, AssetCheckSeverity.ERROR)
    assert shown.description == "Lost."
    assert shown.metadata["ga4: days since arrival"].value == 0.5
    assert result("freshness", found[:1]).passed
    assert result("schema_drift", []).passed


def test_no_table_is_built_anew_for_another_threshold(home):
    def policy(**overrides):
        settings = Settings(home=home.settings.home, seeds=home.settings.seeds, dbt_vars=overrides)
        return fingerprint._policy(settings)

    assert policy(health_late_share=3) == policy()
    assert policy(horizon_days=7) != policy()
