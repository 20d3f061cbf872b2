"""The benchmarks measure what they say: repeatable files, references that agree, found differences.

Belongs here: small sizes that show it. Does not belong here: speed.
"""

import os
import signal
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from bench import __main__ as command
from bench import bars, measure, page, profile, stages
from bench import generate as generator
from bench.generate import Size, generate
from bench.references import core, core_duckdb, scan
from bench.stages import Case, Machine

SMALL = Size(events=4_000, days=5, nights=1)
MANY, HEAVY = "many_light", "few_heavy"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Both shapes: name → folder and what the generator says of it."""
    top = tmp_path_factory.mktemp("files")
    return {
        shape: (top / shape, generate(Size(4_000, 5, nights=1, shape=shape), top / shape))
        for shape in (MANY, HEAVY)
    }


@pytest.fixture(scope="module")
def reference(written):
    return {shape: core_duckdb.compute(folder / "base") for shape, (folder, _) in written.items()}


def query(folder: Path, sql: str) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(sql.format(f"'{core.files_of(folder)}'")).fetchall()


def test_same_arguments_write_the_same_rows_and_another_seed_others(written, tmp_path):
    folder, _ = written[MANY]
    generate(SMALL, tmp_path / "again", threads=1)
    generate(Size(4_000, 5, seed=2), tmp_path / "other")
    rows = "select * from read_parquet({}) order by all"
    assert query(folder / "base", rows) == query(tmp_path / "again" / "base", rows)
    assert query(folder / "base", rows) != query(tmp_path / "other" / "base", rows)


@pytest.mark.parametrize("shape", [MANY, HEAVY])
def test_reference_counts_what_the_generator_has_written(written, reference, shape):
    _, truth = written[shape]
    said = reference[shape].totals
    assert (said["accepted"], said["duplicates"], said["refused"], said["orders"]) == (
        truth.accepted,
        truth.duplicates,
        truth.refused,
        truth.orders,
    )
    assert min(truth.duplicates, truth.refused, truth.orders) > 0
    assert sum(numbers[1] for numbers in reference[shape].daily.values()) == truth.accepted


def test_file_of_a_night_holds_a_days_events_and_late_ones_of_days_before(written):
    folder, truth = written[MANY]
    ((rows, late, again),) = query(
        folder / "night_1",
        f"""
        select count(*), count(*) filter (occurred_at < timestamp '2026-07-01'),
            count(*) filter (event_id in (
                select event_id from '{core.files_of(folder / "base")}'
            ))
        from read_parquet({{}})
        """,
    )
    assert rows == pytest.approx(truth.rows / 5, rel=0.3)
    assert late > again > 0


def test_scan_reads_every_row(written):
    folder, truth = written[MANY]
    assert scan.scan(folder / "base") == truth.rows


@pytest.mark.parametrize("shape", [MANY, HEAVY])
@pytest.mark.parametrize("tool", ["polars", "pandas"])
def test_reference_of_another_tool_comes_to_the_same(written, reference, tool, shape, tmp_path):
    python = next((p for p in _pythons() if stages.has_package(p, tool)), None)
    if python is None:
        pytest.skip(f"{tool} is installed by make bench only")
    folder, _ = written[shape]
    result = tmp_path / "result.json"
    module = f"bench.references.core_{tool}"
    measure.run(
        [python, "-m", module, str(folder / "base"), str(result)],
        stages.PROJECT_ROOT,
        Machine().environment(),
        threads=2,
    )
    assert core.differences(reference[shape], core.read(result)) == []


def _pythons() -> list[str]:
    named = os.environ.get("INTENT_MAP_BENCH_PYTHON")
    return [*([named] if named else []), str(command.OWN_PYTHON), command.sys.executable]


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("occurred_at", "occurred_at - interval 1 hour"),
        ("event_id", "(select max(event_id) from files)"),
        ("source", "'bing'"),
        ("event_name", "'purchase'"),
        ("visitor_id", "'somebody'"),
    ],
)
def test_one_changed_row_is_a_difference(written, reference, tmp_path, column, changed):
    folder, _ = written[MANY]
    (tmp_path / "generic").mkdir()
    with duckdb.connect() as connection:
        files = core.files_of(folder / "base")
        connection.execute(f"create view files as select * from read_parquet('{files}')")
        # the first event of a visitor who came more than once, without a source
        connection.execute(
            f"""
            copy (
                select * replace (
                    case when event_id = (
                        select min(event_id) from (
                            select first(event_id order by occurred_at, sequence) as event_id
                            from files
                            where consent_analytics = 'granted' and occurred_at < '2027-01-01'
                            group by visitor_id
                            having count(source) + count(gclid) = 0 and count(*) > 9
                                and first(event_name order by occurred_at, sequence) = 'page_view'
                        )
                    ) then {changed} else {column} end as {column}
                )
                from files
            ) to '{tmp_path}/generic/changed.parquet' (format parquet)
            """
        )
    found = core_duckdb.compute(tmp_path)
    assert core.differences(reference[MANY], found)
    with pytest.raises(stages.ResultsDifferError, match="duckdb against the project: "):
        stages.compare({"duckdb": reference[MANY], "the project": found})


def test_result_survives_its_file(reference, tmp_path):
    core.write(reference[MANY], tmp_path / "result.json")
    assert core.read(tmp_path / "result.json") == reference[MANY]


def test_row_that_another_of_its_key_would_hide_and_part_of_a_number_are_no_result():
    row = ["2026-03-01", "google", "new", 1]
    assert core.core_of({}, [row], [], []).daily == {("2026-03-01", "google", "new"): (1,)}
    with pytest.raises(ValueError, match="comes twice"):
        core.core_of({}, [row, row], [], [])
    with pytest.raises(ValueError, match="not whole"):
        core.core_of({}, [[*row[:3], 1.5]], [], [])


def test_reference_spills_beside_its_data_not_into_the_working_folder(tmp_path, monkeypatch):
    there, here = tmp_path / "it's data", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)

    def spilling(connection, files):
        connection.execute("create temp table more as select hash(range) from range(20_000_000)")
        return [path.parent for path in (there / "spill").iterdir()], list(here.iterdir())

    monkeypatch.setattr(core_duckdb, "_compute", spilling)
    spilled, left_here = core_duckdb.compute(there, threads=1, memory_limit="50MB")
    assert set(spilled) == {there / "spill"}
    assert left_here == []
    assert list(there.iterdir()) == []


def test_generator_spills_beside_its_files_and_leaves_no_other_there(tmp_path, monkeypatch):
    found = []

    def ask(connection, *more):
        found.extend(connection.execute("select current_setting('temp_directory')").fetchone())

    monkeypatch.setattr(generator, "_write_day", ask)
    generate(SMALL, tmp_path / "files")
    assert set(found) == {f"{tmp_path}/files/spill"}
    # files of another size would be read together with the new ones
    with pytest.raises(ValueError, match="is not empty"):
        generate(SMALL, tmp_path / "files")


NOON = datetime(2026, 3, 1, 12)


def events(tmp_path: Path, rows: list[dict]) -> core.Core:
    """The DuckDB reference over a few rows written by hand."""
    columns = {
        "event_id": "varchar",
        "visitor_id": "varchar",
        "occurred_at": "timestamp",
        "event_name": "varchar",
        "properties": "varchar",
        "value": "decimal(18, 2)",
        "order_id": "varchar",
        "source": "varchar",
        "medium": "varchar",
        "campaign": "varchar",
        "gclid": "varchar",
        "user_agent": "varchar",
        "consent_analytics": "varchar",
        "sequence": "bigint",
    }
    assert tuple(columns) == core.COLUMNS
    folder = tmp_path / "generic"
    folder.mkdir()
    with duckdb.connect() as connection:
        declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create table events ({declared})")
        for number, row in enumerate(rows):
            full = {"event_id": f"e{number}", "visitor_id": "v", "sequence": 0} | row
            marks = ", ".join("?" for _ in full)
            connection.execute(
                f"insert into events ({', '.join(full)}) values ({marks})", list(full.values())
            )
        connection.execute(f"copy events to '{folder}/events.parquet' (format parquet)")
    return core_duckdb.compute(tmp_path)


def at(minutes: float, name: str = "page_view", **more) -> dict:
    return {"occurred_at": NOON + timedelta(minutes=minutes), "event_name": name, **more}


def test_gap_equal_to_the_timeout_stays_and_a_second_more_begins_a_session(tmp_path):
    said = events(tmp_path, [at(0), at(30), at(60 + 1 / 60)])
    assert said.totals["sessions"] == 2
    assert said.daily == {
        ("2026-03-01", "(direct)", "new"): (1, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        ("2026-03-01", "(direct)", "returning"): (1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }


def test_visit_is_cut_at_every_full_day_after_its_start(tmp_path):
    said = events(tmp_path, [at(29 * number) for number in range(51)])
    assert said.totals["sessions"] == 2
    assert said.daily[("2026-03-02", "(direct)", "returning")][:2] == (1, 1)


def test_click_id_repairs_a_missing_source_and_placeholders_carry_none(tmp_path):
    rows = [
        at(0, visitor_id="a", source="(direct)", medium="(none)"),
        at(1, visitor_id="a", gclid="click"),
        at(0, visitor_id="b", source="Bing", medium="organic"),
        at(0, visitor_id="c", medium="email"),
        at(1, visitor_id="c", source="google"),
        at(0, visitor_id="d", source="yahoo", medium="Organic", gclid="click"),
    ]
    said = events(tmp_path, rows)
    sessions = {key[1]: numbers[0] for key, numbers in said.daily.items()}
    assert sessions == {"(direct)": 1, "Bing": 1, "google": 2}


def test_order_counts_once_and_success_is_the_next_order_within_the_horizon(tmp_path):
    days = 24 * 60
    rows = [
        at(0, "add_to_cart", sequence=1),
        # on one tick of the clock the sequence says that it came before the cart
        at(0, "purchase", sequence=0, order_id="first", value=10),
        at(0, "add_to_cart", visitor_id="w"),
        at(30 * days, "purchase", visitor_id="w", order_id="second", value=12.5),
        at(30 * days + 5, "purchase", visitor_id="w", order_id="second", value=12.5),
        at(0, "add_to_cart", visitor_id="x"),
        at(30 * days + 1, "purchase", visitor_id="x", order_id="(not set)", value=1),
        at(30 * days + 2, "purchase", visitor_id="x", order_id="(not set)", value=1),
    ]
    said = events(tmp_path, rows)
    assert said.totals["orders"] == 4
    assert said.rates == {("cart_filled", "(direct)", "new"): (3, 1)}
    assert said.daily[("2026-03-31", "(direct)", "returning")][-2:] == (3, 1450)


def test_property_below_its_threshold_is_no_micro_conversion(tmp_path):
    rows = [
        at(0, "scroll", properties='{"percent_scrolled": 74}'),
        at(1, "scroll", properties='{"percent_scrolled": "75"}'),
        at(2, "scroll", properties="{}"),
        at(3, "video_progress", properties='{"video_percent": 49.9}'),
    ]
    assert events(tmp_path, rows).firsts == {
        ("2026-03-01", "deep_scroll"): (1, (12 * 60 + 1) * 60 * 1_000_000)
    }


def test_refused_rows_are_counted_apart_from_copies(tmp_path):
    rows = [
        at(0),
        at(0, event_id="e0"),
        at(0, visitor_id=None),
        at(0, consent_analytics="Denied"),
        at(0, user_agent="Googlebot/2.1"),
        {**at(0), "occurred_at": datetime(2099, 1, 1)},
        {**at(0), "occurred_at": datetime(2014, 12, 31)},
    ]
    said = events(tmp_path, rows).totals
    assert (said["accepted"], said["duplicates"], said["refused"]) == (1, 1, 5)


def cost(seconds: float, cpu_seconds: float) -> measure.Cost:
    return measure.Cost(seconds, cpu_seconds, memory_bytes=10**9)


def case_with(name: str = "main", events: int = 15_000_000, **costs: list[measure.Cost]) -> Case:
    case = Case(name, Size(events, 90), Machine(), raw_rows=events)
    case.costs.update(costs)
    return case


def test_bar_that_is_not_measured_is_not_met():
    said = bars.verdicts([case_with()])
    assert {verdict.state for verdict in said} == {bars.NOT_MEASURED}


@pytest.mark.parametrize(
    ("full", "state"),
    [(cost(40, 40), bars.MET), (cost(30, 41), bars.NOT_MET), (cost(41, 30), bars.NOT_MET)],
)
def test_bar_is_held_against_the_worse_of_processor_and_wall_clock(full, state):
    verdict = bars.verdicts([case_with(full=[full], duckdb=[cost(10, 10)])])[0]
    assert (verdict.state, verdict.is_at_size) == (state, True)


def test_bar_at_a_smaller_size_says_so():
    case = case_with(events=1_000_000, full=[cost(99, 99)], duckdb=[cost(10, 10)])
    verdict = bars.verdicts([case])[0]
    assert (verdict.state, verdict.is_at_size) == (bars.NOT_MET, False)


def test_night_is_counted_above_the_empty_night_and_per_round():
    case = case_with(
        full=[cost(100, 100), cost(200, 200), cost(100, 100)],
        night=[cost(30, 30), cost(50, 50), cost(29, 29)],
        empty=[cost(20, 20), cost(20, 20), cost(20, 20)],
    )
    verdict = bars.verdicts([case])[1]
    assert verdict.state == bars.NOT_MET
    assert "0.100 (0.090 to 0.150)" in verdict.said


def test_a_night_no_dearer_than_an_empty_one_meets_its_bar():
    case = case_with(full=[cost(99, 99)], night=[cost(19, 19)], empty=[cost(20, 20)])
    verdict = bars.verdicts([case])[1]
    assert verdict.state == bars.MET
    assert "processor -0.010 (-0.010 to -0.010)" in verdict.said


def test_of_a_night_the_dearer_of_the_two_differences_counts():
    case = case_with(full=[cost(99, 99)], night=[cost(19, 30)], empty=[cost(20, 20)])
    assert bars.verdicts([case])[1].state == bars.NOT_MET


@pytest.mark.parametrize(
    ("night", "state"), [(cost(24, 30), bars.MET), (cost(26, 20), bars.NOT_MET)]
)
def test_how_long_a_night_takes_behind_a_year_is_its_wall_clock(night, state):
    cases = [
        case_with("history_short", 5_000_000, night=[cost(20, 20)]),
        case_with("history_long", 60_000_000, night=[night]),
    ]
    verdict = next(v for v in bars.verdicts(cases) if v.bar.name.startswith("night on 360"))
    assert (verdict.state, verdict.is_at_size) == (state, True)
    assert f"processor {night.cpu_seconds / 20:.3f}" in verdict.said


def test_every_reference_is_measured_at_the_small_size_and_pandas_at_no_larger_one(
    monkeypatch, tmp_path
):
    measured = {}

    def full(case, work, references, pandas_limit):
        measured[case.name] = set(references), pandas_limit
        return case

    monkeypatch.setattr(stages, "measure_case", lambda *arguments, **more: None)
    monkeypatch.setattr(stages, "measure_full", full)
    command.main(["--scale", "--no-profile", "--work", str(tmp_path)])
    alone = ({"duckdb"}, 5_000_000)
    assert measured == {
        "scale_small": ({"duckdb", "polars", "pandas", "scan"}, 5_000_000),
        "scale_large": alone,
        "scale_huge": alone,
    }


def test_figure_just_above_its_limit_does_not_look_like_the_limit():
    case = case_with(full=[cost(40.04, 40.04)], duckdb=[cost(10, 10)])
    verdict = bars.verdicts([case])[0]
    assert (verdict.state, verdict.said.split(" (")[0]) == (bars.NOT_MET, "processor 4.004")


def test_difference_ends_the_command_with_its_status(monkeypatch, capsys, tmp_path):
    def differ(*arguments, **more):
        raise stages.ResultsDifferError("daily: 1 of 2 differ")

    monkeypatch.setattr(stages, "measure_case", differ)
    assert command.main(["--work", str(tmp_path)]) == command.DIFFERENT
    assert "daily: 1 of 2 differ" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "later", "measured_besides"),
    [
        (measure.RunFailedError("ended with 1:\nno room"), "--history", []),
        (stages.ResultsDifferError("ended with 1:\nno room"), "--scale", ["scale_small"]),
    ],
)
def test_a_later_case_that_fails_leaves_a_page_of_those_before_it_that_says_so(
    monkeypatch, capsys, tmp_path, error, later, measured_besides
):
    def measured(case, *arguments, **more):
        if case.name == "scale_large":
            raise error
        case.costs.update(full=[cost(99, 99)], duckdb=[cost(10, 10)])
        return case

    def failing(*arguments, **more):
        raise error

    monkeypatch.setattr(stages, "measure_case", measured)
    monkeypatch.setattr(stages, "measure_full", measured)
    monkeypatch.setattr(stages, "measure_nights", failing)
    written = tmp_path / "page.md"
    status = command.main(["--work", str(tmp_path), "--page", str(written), later])
    assert status == command.DIFFERENT
    name = "scale_large" if measured_besides else "history"
    assert f"error: {name}: ended with 1:\nno room" in capsys.readouterr().err
    text = written.read_text(encoding="utf-8")
    assert f"**Not all was measured:** the case {name} failed, and the run ended there." in text
    cases = [line.split()[2].rstrip(":") for line in text.splitlines() if "## Case " in line]
    assert cases == ["main", *measured_besides]


@pytest.mark.parametrize(("events", "status"), [("15m", command.NOT_MET), ("1m", 0)])
def test_bar_not_met_at_its_size_ends_the_command_with_its_status(
    monkeypatch, tmp_path, events, status
):
    def measured(case, *arguments, **more):
        case.costs.update(full=[cost(99, 99)], duckdb=[cost(10, 10)])

    monkeypatch.setattr(stages, "measure_case", measured)
    written = tmp_path / "page.md"
    arguments = ["--events", events, "--work", str(tmp_path), "--page", str(written)]
    assert command.main(arguments) == status
    assert "| NOT MET |" in written.read_text(encoding="utf-8")
    assert "(f) reference" in written.with_suffix(".svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--events", "0"], "--events: '0' is no whole number, from 1"),
        (["--events", "infm"], "--events: 'infm' is no whole number"),
        (["--events", "1.5"], "--events: '1.5' is no whole number"),
        (["--events", "1e400"], "--events: '1e400' is no whole number"),
        (["--days", "0"], "--days: '0' is no whole number, from 1 to 4000"),
        # a second one would be written and never measured
        (["--nights", "2"], "--nights: '2' is no whole number, from 0 to 1"),
        (["--rounds", "0"], "--rounds: '0' is no whole number, 1 or more"),
        (["--threads", "100000"], "--threads is 100000, but there are"),
        (["--memory-limit", "much"], "--memory-limit is 'much'; write it like"),
        (["--python", "no/such/python"], "--python is no/such/python, which is no interpreter"),
        (["--page", "no/such/page.md"], "in a folder that does not exist"),
        (["--page", "."], "name a file, such as page.md"),
        (["--page", "page.svg"], "name a file, such as page.md"),
    ],
)
def test_arguments_that_cannot_be_are_said_before_anything_is_measured(
    monkeypatch, capsys, tmp_path, arguments, said
):
    monkeypatch.setattr(stages, "measure_case", lambda *_, **__: pytest.fail("measured"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_sizes_may_be_said_in_thousands_and_millions():
    assert [generator.count_of(1)(said) for said in ("7", "1.5m", "0.3M", "20k")] == [
        7,
        1_500_000,
        300_000,
        20_000,
    ]


def test_folder_that_cannot_be_written_is_said(capsys, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        command.main(["--work", str(tmp_path / "file")])
    assert generator.main(["--folder", str(tmp_path / "file" / "below")]) == 1
    said = capsys.readouterr().err
    assert said.count("error: ") == 2
    assert "Traceback" not in said


def in_a_query(folder: Path) -> None:
    with duckdb.connect(str(folder / "file.duckdb")) as connection:
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
        # a second or two: DuckDB sees the signal late where another thread does all the work
        connection.execute("select sum(hash(i)) from range(400_000_000) as numbers (i)").fetchall()


def in_python(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


@pytest.mark.parametrize("busy", [in_a_query, in_python])
def test_interrupt_leaves_no_file_and_no_page(monkeypatch, capsys, tmp_path, busy):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(stages, "measure_case", lambda case, work, **more: busy(work))
    written = tmp_path / "page.md"
    status = command.main(["--work", str(tmp_path), "--page", str(written)])
    assert status == command.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_not_measured_is_said_and_nothing_is_measured_twice():
    case = case_with(events=2_000)
    assert stages._possible(case, ["duckdb", "duckdb", "pandas"], pandas_limit=1_000) == ["duckdb"]
    assert case.notes == ["pandas is measured up to 1,000 events only."]
    alone = case_with()
    assert stages._possible(alone, ["scan"], pandas_limit=1_000) == ["scan"]
    assert alone.notes == ["No reference that computes the core is measured on the full refresh."]


def test_page_names_a_case_by_its_own_limit_and_no_night_that_was_not(tmp_path):
    usual = case_with(full=[cost(2, 2)], night=[cost(1, 1)])
    little = case_with("scale_small", full=[cost(2, 2)])
    little.machine = Machine(memory_limit="4GiB")
    written = tmp_path / "page.md"
    page.write(written, [usual, little], [], {}, [])
    first, second = written.read_text(encoding="utf-8").split("## Case ")[1:]
    assert "a night on top has 0 rows" in first
    assert "limit" not in first
    assert "night" not in second
    assert "DuckDB's memory limit: 4GiB." in second


def test_cost_of_a_command_counts_its_children_and_a_failure_is_said(tmp_path):
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    found = measure.run([command.sys.executable, "-c", child], tmp_path, os.environ, threads=1)
    assert found.cpu_seconds > 0.29
    assert found.memory_bytes > 1_000_000
    with pytest.raises(measure.RunFailedError, match="no such thing"):
        measure.run(
            [command.sys.executable, "-c", "raise SystemExit('no such thing')"],
            tmp_path,
            os.environ,
            threads=1,
        )


def test_memory_of_a_command_is_its_own_not_that_of_the_harness(tmp_path):
    held = bytearray(b"x") * 300_000_000
    # long enough to be looked at when it has begun, as every command that is measured
    quiet = "import time; time.sleep(0.5)"
    small = measure.run([command.sys.executable, "-c", quiet], tmp_path, os.environ, threads=1)
    assert 1_000_000 < small.memory_bytes < 100_000_000
    assert len(held) == 300_000_000
    # given back before the next look at it
    brief = "import time; del (b := bytearray(b'x') * 200_000_000)[:]; time.sleep(0.5)"
    large = measure.run([command.sys.executable, "-c", brief], tmp_path, os.environ, threads=1)
    assert large.memory_bytes > 200_000_000


def test_interrupt_ends_the_command_and_what_it_has_started(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    sleeper = "import time; time.sleep(60)"
    child = (
        "import os, subprocess, sys, time; from pathlib import Path\n"
        f"one = subprocess.Popen([sys.executable, '-c', {sleeper!r}])\n"
        f"Path('pids').write_text(f'{{os.getpid()}} {{one.pid}}')\n"
        f"time.sleep(60)"
    )
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 4)
    try:
        with pytest.raises(KeyboardInterrupt):
            measure.run([command.sys.executable, "-c", child], tmp_path, os.environ, threads=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    for pid in (tmp_path / "pids").read_text().split():
        assert is_over(int(pid))


def is_over(pid: int) -> bool:
    """Whether the process is gone, or about to be, within some seconds."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_node_seconds_are_read_from_dbts_log(tmp_path):
    log = tmp_path / "dbt" / "logs" / "dbt.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "17:30 [info ] [Thread-2 (]: 20 of 132 OK created sql incremental model "
        "intermediate.int_events ..... [OK in 5.02s]\n"
        "17:30 [info ] [Thread-2 (]: 21 of 132 PASS not_null_int_events_event_key ... "
        "[PASS in 0.11s]\n"
        "17:30 [info ] [Thread-2 (]: 1 of 3 OK hook: intent_map.on-run-start.0 .... [OK in 0.3s]\n",
        encoding="utf-8",
    )
    assert stages.node_seconds(tmp_path) == {
        "model int_events": 5.02,
        "test not_null_int_events_event_key": 0.11,
    }


def test_a_model_costs_the_processor_time_of_its_query_not_the_profilers_clocks(
    tmp_path, monkeypatch
):
    compiled = tmp_path / profile.MODELS / "intermediate"
    compiled.mkdir(parents=True)
    (tmp_path / "warehouse").mkdir()
    with duckdb.connect(str(tmp_path / "warehouse" / "intent_map.duckdb")) as connection:
        connection.execute(
            "create schema intermediate; "
            "create table intermediate.int_all as select range as number from range(3000); "
            "create table intermediate.int_even as select 1 as number"
        )
    (compiled / "int_even.sql").write_text(
        "with shared as materialized (select number from intent_map.intermediate.int_all)\n"
        "select one.number from shared as one inner join shared as two on one.number = two.number\n"
        "where one.number % 2 = 0 order by one.number -- at the end a comment",
        encoding="utf-8",
    )
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(profile.time, "process_time", lambda: next(clock))
    (found,) = profile.profile_home(tmp_path, threads=1, memory_limit="1GB")
    assert (found.name, found.cpu_seconds) == ("int_even", 2.5)
    # what a part of the query hands on to the rest of it is not read from a table
    assert (found.rows_read, found.rows_written) == (3000, 1500)
    assert 0 < found.operator_seconds < 2.5
    assert "int_even: 2.50 s of processor time" in profile.in_words([found])
    assert not any(path.name.startswith("tmp") for path in tmp_path.iterdir())


def test_page_shares_out_processor_time_and_the_operators_time_each_by_itself(tmp_path):
    operators = [profile.Operator("HASH_JOIN", "", 3.0, 5), profile.Operator("WINDOW", "", 1.0, 5)]
    models = [
        profile.ModelProfile("int_one", 4.0, 6.0, 7, 5, operators),
        profile.ModelProfile("int_two", 1.0, 2.0, 7, 5),
    ]
    written = tmp_path / "page.md"
    page.write(written, [case_with()], [], {}, models)
    text = written.read_text(encoding="utf-8")
    assert "| `int_one` | - | 6.00 | 75% | 4.00 | 7 | 5 | hash_join 75%; window 25% |" in text
    assert "| `int_two` | - | 2.00 | 25% | 0.00 | 7 | 5 |  |" in text
    assert "the 2 costliest of 2 tables, which take 8.0 s of processor time together" in text


@pytest.mark.deep
def test_harness_runs_end_to_end_and_the_project_comes_to_the_references_results(tmp_path):
    written = tmp_path / "benchmarks.md"
    sizes = ["--events", "20k", "--days", "20", "--nights", "1", "--rounds", "1"]
    status = command.main([*sizes, "--work", str(tmp_path), "--page", str(written)])
    assert status == 0
    text = written.read_text(encoding="utf-8")
    for stage in ("full", "night", "quarter", "publish", "empty", "empty_dbt", "duckdb", "scan"):
        assert stages.STAGES[stage] in text
    assert "| `int_all_sessions` |" in text
    assert page.drawing(case_with(full=[cost(1, 1)])).startswith("<svg")
    assert not any(path.is_dir() for path in tmp_path.iterdir())
