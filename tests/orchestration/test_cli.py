"""The command line checks first, ends in sentences, and never shows a traceback."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import types
from datetime import date

import duckdb
import pytest

from orchestration import business_files, cli
from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT, SHIPPED_SEEDS


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "ein heim mit ümlaut"
    for name in ("SEEDS", "VARS", "TARGET", "HASH_KEY", "THREADS", "MEMORY_LIMIT"):
        monkeypatch.delenv(f"INTENT_MAP_{name}", raising=False)
    monkeypatch.setenv("INTENT_MAP_HOME", str(folder))
    return folder


@pytest.fixture
def runs(monkeypatch):
    """Pretended runs: `called` notes them, `error` is raised when it is set."""
    module = types.ModuleType("orchestration.runs")
    module.called, module.error = [], None

    def note(*call):
        if module.error:
            raise module.error
        module.called.append(call)

    module.run_nightly = lambda settings, report=print: note("nightly", settings.home)
    module.run_quarterly = lambda settings, as_of, report=print, restate_why=None: note(
        "quarterly", as_of, *([restate_why] if restate_why else [])
    )
    module.run_backfill = lambda settings, first, last: note("days", first, last)
    module.run_quarters = lambda settings, first, last: note("quarters", first, last)
    module.run_rebuild = lambda settings: note("everything")
    monkeypatch.setitem(sys.modules, "orchestration.runs", module)
    return module


def test_python_looks_for_garbage_again_behind_a_command(home, runs):
    seen = []
    runs.run_nightly = lambda settings: seen.append(gc.isenabled())
    assert gc.isenabled()
    assert cli.main(["nightly"]) == 0
    runs.run_nightly = lambda settings: seen.append(gc.isenabled()) or 1 / 0
    assert cli.main(["nightly"]) == 1
    assert seen == [False, False]
    assert gc.isenabled()


def test_every_command_has_a_line_of_help(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for name, command in cli.COMMANDS.items():
        assert f"  {name}" in said
        assert command.help in " ".join(said.split())


def test_help_imports_neither_dagster_nor_dbt_nor_duckdb():
    code = (
        "import sys; from orchestration.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'dagster', 'dbt', 'duckdb', 'numpy', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_module_runs_as_the_command_does():
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "--help"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: intent-map")


@pytest.mark.parametrize(("day", "status"), [("2026-13-01", 1), (None, 0)])
def test_a_program_ends_with_the_commands_status_and_loses_nothing_said(home, day, status):
    command = ["quarterly", "--as-of", day] if day else ["check"]
    code = (
        "import atexit, sys; from orchestration.cli import program\n"
        "atexit.register(print, 'last words')\n"
        f"sys.argv = ['intent-map', *{command}]\n"
        "program()\n"
        "print('went on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[-1] == "last words"
    assert ("2026-13-01" in done.stderr) == (day is not None)


def test_a_program_never_looks_for_garbage_that_ends_with_it(home):
    code = (
        "import atexit, gc, sys; from orchestration.cli import program\n"
        "atexit.register(lambda: print('looks for it:', gc.isenabled()))\n"
        "sys.argv = ['intent-map', 'check']\n"
        "program()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "looks for it: False", done.stderr


def test_check_says_that_all_is_in_order_and_leaves_no_home(home, capsys):
    assert cli.main(["check"]) == 0
    assert "are in order" in capsys.readouterr().out
    assert not home.exists()


def test_check_says_what_the_next_night_does_about_what_changed(home, monkeypatch, capsys):
    why = "The next night will build all rows anew: policy vars changed since they were built."
    monkeypatch.setattr("orchestration.fingerprint.foreseen", lambda _: why)
    assert cli.main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == why

    home.joinpath("warehouse").mkdir(parents=True)
    with duckdb.connect(str(home / "warehouse" / "intent_map.duckdb")) as con:
        con.execute("create schema raw")
        con.execute("create table raw.loads as select 1 as load_id, now()::timestamp as landed_at")
        con.execute(
            "create table raw.removals as select 1 as load_id, 7 as row_count, 'retired' as reason"
        )
    assert cli.main(["check"]) == cli.FAILED
    said = capsys.readouterr().err
    assert why in said and "7 rows landed up to" in said and "were retired" in said
    # what would be refused is not told as what will be done
    assert said.startswith("error: ")

    def held(_):
        raise IntentMapError("cannot be told now")

    monkeypatch.setattr("orchestration.fingerprint.foreseen", held)
    assert cli.main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "cannot be told now"


@pytest.mark.parametrize("command", ["nightly", "quarterly", "land", "publish", "demo", "check"])
def test_every_command_checks_the_policy_before_anything_else(
    home, runs, monkeypatch, capsys, command
):
    monkeypatch.setenv("INTENT_MAP_VARS", '{"session_timeout_minutes": 0}')
    assert cli.main([command]) == cli.FAILED
    said = capsys.readouterr()
    assert said.err.startswith("error: session_timeout_minutes is 0; allowed is 1 to 475.")
    assert "Traceback" not in said.err + said.out
    assert runs.called == []
    assert not home.exists()


def test_wrong_attached_table_stops_the_run(home, runs, monkeypatch, capsys):
    monkeypatch.setenv("INTENT_MAP_VARS", '{"attached_sources": {"generic": {"table": "x"}}}')
    assert cli.main(["nightly"]) == cli.FAILED
    assert "attached_sources" in capsys.readouterr().err
    assert runs.called == []


def test_wrong_business_file_stops_the_run_with_its_name(home, runs, tmp_path, monkeypatch, capsys):
    empty = tmp_path / "own files"
    empty.mkdir()
    monkeypatch.setenv("INTENT_MAP_SEEDS", str(empty))
    assert cli.main(["nightly"]) == cli.FAILED
    assert "micro_conversions.csv: the file is missing" in capsys.readouterr().err
    assert runs.called == []


def test_warning_is_printed_and_does_not_stop(home, runs, monkeypatch, capsys):
    monkeypatch.setenv("INTENT_MAP_VARS", '{"look_back_days": 365}')
    assert cli.main(["nightly"]) == 0
    assert "warning: look_back_days is 365; advised is 28 to 90." in capsys.readouterr().out
    assert runs.called == [("nightly", home)]


def test_nightly_on_an_empty_home_says_where_to_drop_files_and_runs(home, runs, capsys):
    assert cli.main(["nightly"]) == 0
    said = capsys.readouterr().out
    assert "Nothing to land yet. Drop files (Parquet, CSV, gzipped CSV, JSON lines) under " in said
    assert f"{home / 'landing'}:" in said
    assert "visitor_id, occurred_at, event_name" in said
    assert "Then the same command again." in said
    assert (home / "landing" / "generic").is_dir()
    assert runs.called == [("nightly", home)]


def test_nightly_with_a_file_to_land_does_not_ask_for_files(home, runs, capsys):
    (home / "landing" / "generic").mkdir(parents=True)
    (home / "landing" / "generic" / "events.csv").touch()
    cli.main(["nightly"])
    assert "Nothing to land" not in capsys.readouterr().out


def test_a_link_that_cannot_be_looked_at_is_no_reason_to_stop(home, runs, capsys):
    (home / "landing" / "generic").mkdir(parents=True)
    (home / "landing" / "generic" / "events.csv").symlink_to("no name is as long as this" * 20)
    assert cli.main(["nightly"]) == 0
    assert runs.called == [("nightly", home)]


def test_nothing_that_is_shown_acts_in_a_terminal(home, runs, tmp_path, monkeypatch, capsys):
    seeds = tmp_path / "seeds"
    shutil.copytree(SHIPPED_SEEDS, seeds, ignore=shutil.ignore_patterns("*.yml"))
    with (seeds / "campaign_settings.csv").open("a") as file:
        file.write("a,micro,\x1b[31m1\nb,micro,\u202e2\n")
    monkeypatch.setenv("INTENT_MAP_SEEDS", str(seeds))
    assert cli.main(["check"]) == 1
    said = capsys.readouterr().err
    assert "'\ufffd[31m1' is not a number.\ncampaign_settings.csv, row 3," in said
    assert not {"\x1b", "\u202e"} & set(said)


def test_a_warning_that_shows_a_cell_does_not_act_either(home, monkeypatch, capsys):
    shown = "rules.csv, row 2: '\x1b[31m\u202eone'\nis unusual"
    monkeypatch.setattr(business_files, "check_business_files", lambda _: [shown])
    assert cli.main(["check"]) == 0
    said = capsys.readouterr().out
    assert "warning: rules.csv, row 2: '\ufffd[31m\ufffdone'\nis unusual\n" in said
    assert not {"\x1b", "\u202e"} & set(said)


def test_nightly_with_an_attached_table_does_not_ask_for_files(home, runs, monkeypatch, capsys):
    attached = {"generic": {"database": "e.duckdb", "table": "main.e", "arrival_column": "at"}}
    monkeypatch.setenv("INTENT_MAP_VARS", json.dumps({"attached_sources": attached}))
    cli.main(["nightly"])
    assert "Nothing to land" not in capsys.readouterr().out


def test_quarterly_without_a_date_leaves_the_quarter_to_the_run(home, runs):
    assert cli.main(["quarterly"]) == 0
    assert runs.called == [("quarterly", None)]


def test_quarterly_takes_the_first_day_of_a_past_quarter(home, runs):
    assert cli.main(["quarterly", "--as-of", "2026-07-01"]) == 0
    assert runs.called == [("quarterly", date(2026, 7, 1))]


@pytest.mark.parametrize("text", ["July", "2026-02-30", "20260701", ""])
def test_version_date_that_is_no_date_ends_in_a_sentence(home, runs, capsys, text):
    assert cli.main(["quarterly", "--as-of", text]) == cli.FAILED
    said = capsys.readouterr().err
    assert said == f"error: --as-of is '{text}'; write a date such as 2026-07-01.\n"
    assert runs.called == []


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize(
    ("command", "argument"), [("erase-user", "FILE"), ("backup", "DEST"), ("restore", "SRC")]
)
def test_an_argument_that_names_no_path_is_refused_by_name(home, capsys, command, argument, text):
    assert cli.main([command, text]) == cli.FAILED
    said = capsys.readouterr().err
    assert said == f"error: {argument} is empty, as an unset variable is; name a path.\n"


def test_a_restatement_carries_its_reason_in_one_line(home, runs):
    said = ["--restate", "--why", " orders of May\n counted twice "]
    assert cli.main(["quarterly", "--as-of", "2026-07-01", *said]) == 0
    assert runs.called == [("quarterly", date(2026, 7, 1), "orders of May counted twice")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--restate", "--why", "x"], "--restate needs the version that it replaces: --as-of"),
        (["--as-of", "2026-07-01", "--restate"], "so it needs a reason"),
        (["--as-of", "2026-07-01", "--restate", "--why", " "], "so it needs a reason"),
        (["--as-of", "2026-07-01", "--restate", "--why", "x" * 501], "501 characters"),
        (["--as-of", "2026-07-01", "--why", "x"], "add --restate to do it"),
    ],
)
def test_a_version_is_restated_only_by_name_and_for_a_reason(
    home, runs, capsys, arguments, sentence
):
    assert cli.main(["quarterly", *arguments]) == cli.FAILED
    assert sentence in capsys.readouterr().err
    assert runs.called == []


def test_error_for_the_user_is_one_sentence_and_status_one(home, runs, capsys):
    runs.error = IntentMapError("generic/a.csv, column 3: no time.")
    assert cli.main(["nightly"]) == cli.FAILED
    assert capsys.readouterr().err == "error: generic/a.csv, column 3: no time.\n"
    assert not (home / "logs").exists()


def test_unforeseen_error_is_logged_and_named(home, runs, capsys):
    runs.error = ZeroDivisionError("division by zero\nsecond line")
    assert cli.main(["nightly"]) == cli.FAILED
    said = capsys.readouterr().err
    log = home / "logs" / "error.log"
    assert said == (
        "error: ZeroDivisionError: division by zero. This was not foreseen; the details are in "
        f"{log}.\n"
    )
    assert "Traceback" in log.read_text(encoding="utf-8")
    runs.error = KeyError("another")
    cli.main(["nightly"])
    assert log.read_text(encoding="utf-8").count("Traceback") == 2


def test_interrupt_ends_in_a_sentence_and_status_130(home, runs, capsys):
    runs.error = KeyboardInterrupt()
    assert cli.main(["nightly"]) == cli.INTERRUPTED
    assert capsys.readouterr().err.startswith("Stopped.")


def test_a_query_that_the_signal_stops_ends_like_any_interrupt(home, runs, capsys):
    def long_query(settings):
        stopping = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        with duckdb.connect() as con:
            stopping.start()
            # a second or two: DuckDB sees the signal late where another thread does all the work
            con.execute("select sum(hash(i)) from range(400000000) as numbers (i)")

    runs.run_nightly = long_query
    # tests that were started in the background are deaf to the signal
    heard_before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["nightly"]) == cli.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, heard_before)
    assert capsys.readouterr().err.startswith("Stopped.")
    assert not (home / "logs").exists()


def test_home_that_is_a_file_is_named(tmp_path, home, runs, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("INTENT_MAP_HOME", str(tmp_path / "file" / "below"))
    assert cli.main(["nightly"]) == cli.FAILED
    said = capsys.readouterr().err
    assert f"but '{tmp_path / 'file'}' is a file where a folder must be" in said
    assert runs.called == []


def test_home_that_cannot_be_written_is_named(home, runs, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cli.tempfile, "TemporaryFile", refuse)
    assert cli.main(["nightly"]) == cli.FAILED
    assert f"The home '{home}' cannot be written (Permission denied)." in capsys.readouterr().err
    assert runs.called == []


def test_report_of_an_unpublished_home_ends_in_a_sentence(home, capsys):
    assert cli.main(["report"]) == cli.FAILED
    assert "Nothing is published" in capsys.readouterr().err
    assert not home.exists()


def test_land_holds_the_writer_lock(home, monkeypatch):
    from contextlib import contextmanager

    inside = []

    @contextmanager
    def writer_lock(settings, what, **options):
        inside.append(what)
        yield
        inside.clear()

    def land(settings, source=None, report=print):
        seen.append((source, list(inside)))

    seen = []
    monkeypatch.setattr("orchestration.landing.land", land)
    monkeypatch.setattr("orchestration.locking.writer_lock", writer_lock)
    assert cli.main(["land", "--source", "orders"]) == 0
    assert seen == [("orders", ["landing"])]


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ("--from 2026-11-20", ("days", date(2026, 11, 20), date(2026, 11, 20))),
        ("--to 2026-11-20", ("days", date(2026, 11, 20), date(2026, 11, 20))),
        ("--from 2026-11-16 --to 2026-11-22", ("days", date(2026, 11, 16), date(2026, 11, 22))),
        ("--from-quarter 2026-07-01", ("quarters", date(2026, 7, 1), date(2026, 7, 1))),
        (
            "--from-quarter 2026-01-01 --to-quarter 2026-07-01",
            ("quarters", date(2026, 1, 1), date(2026, 7, 1)),
        ),
        ("--all", ("everything",)),
    ],
)
def test_backfill_takes_days_quarters_or_everything(home, runs, options, called):
    assert cli.main(["backfill", *options.split()]) == 0
    assert runs.called == [called]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "Say what to backfill"),
        ("--all --from 2026-11-20", "Say one thing at a time to backfill"),
        ("--from 2026-11-20 --to-quarter 2026-10-01", "Say one thing at a time to backfill"),
        ("--from 20.11.2026", "--from is '20.11.2026'; write a date"),
        ("--to-quarter 2026Q3", "--to-quarter is '2026Q3'; write a date"),
    ],
)
def test_backfill_that_is_not_clear_is_refused(home, runs, capsys, options, said):
    assert cli.main(["backfill", *options.split()]) == cli.FAILED
    assert said in capsys.readouterr().err
    assert runs.called == []
