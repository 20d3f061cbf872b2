"""The demo simulates once a day, values the quarters with history, and keeps off real data."""

import os
import sys
import types
from datetime import date

import duckdb
import pytest

from orchestration import demo
from orchestration.demo import Shop, demo_settings, simulate_shop, version_dates
from orchestration.errors import IntentMapError
from orchestration.settings import MANIFEST_FILE, PROJECT_ROOT, Settings

SHOP = Shop(end_date=date(2026, 5, 10), days=60, visitors=5, seed=1)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "heim", seeds=PROJECT_ROOT / "seeds")


@pytest.fixture
def simulated(monkeypatch):
    """Calls of a pretended simulation that writes one file."""
    calls = []

    def simulate(out, *, end_date, visitors, days, seed, report):
        calls.append(end_date)
        (out / "landing" / "generic").mkdir(parents=True, exist_ok=True)
        (out / "landing" / "generic" / f"shop_{end_date}.csv").write_text("visitor_id\n")

    module = types.ModuleType("orchestration.simulation")
    module.simulate = simulate
    monkeypatch.setitem(sys.modules, "orchestration.simulation", module)
    return calls


def files(settings):
    return sorted(path.name for path in settings.landing.rglob("*") if path.is_file())


def test_demo_has_a_home_of_its_own_unless_one_is_named(settings):
    assert demo_settings(settings, None).home == PROJECT_ROOT / "home" / "demo"
    assert demo_settings(settings, "").home == PROJECT_ROOT / "home" / "demo"
    assert demo_settings(settings, str(settings.home)).home == settings.home


def test_same_shop_is_simulated_once(settings, simulated):
    said = []
    simulate_shop(settings, SHOP, said.append)
    simulate_shop(settings, SHOP, said.append)
    assert simulated == [SHOP.end_date]
    assert "there already" in said[-1]


def test_shop_of_a_new_day_replaces_the_old_one(settings, simulated):
    said = []
    simulate_shop(settings, SHOP, said.append)
    for folder in (settings.warehouse.parent, settings.serving, settings.dagster_home):
        folder.mkdir()
        (folder / "old").touch()
    simulate_shop(settings, Shop(date(2026, 5, 11), 60, 5, 1), said.append)
    assert files(settings) == ["shop_2026-05-11.csv"]
    assert not settings.warehouse.parent.exists()
    assert not settings.serving.exists()
    assert (settings.dagster_home / "old").exists()
    assert any("with data up to 2026-05-10; it is replaced" in line for line in said)


def test_interrupted_simulation_is_started_anew(settings, simulated):
    half = settings.home / demo.UNFINISHED / "landing" / "ga4" / "half.parquet"
    half.parent.mkdir(parents=True)
    half.touch()
    simulate_shop(settings, SHOP, lambda line: None)
    assert files(settings) == ["shop_2026-05-10.csv"]
    assert not half.exists()


@pytest.mark.parametrize("step", [1, 2])
def test_a_shop_that_was_killed_on_its_way_in_is_replaced(settings, simulated, monkeypatch, step):
    class Killed(BaseException):
        pass

    written, write = [], demo._write_record

    def killed(settings, record):
        written.append(record)
        if len(written) == step:
            raise Killed
        write(settings, record)

    simulate_shop(settings, SHOP, lambda line: None)
    later = Shop(date(2026, 5, 11), 60, 5, 1)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(demo, "_write_record", killed)
        simulate_shop(settings, later, lambda line: None)
    simulate_shop(settings, later, lambda line: None)
    assert files(settings) == ["shop_2026-05-11.csv"]
    said = []
    simulate_shop(settings, later, said.append)
    assert "there already" in said[-1]


@pytest.mark.parametrize("removed", range(1, len(demo.REPLACED)))
def test_a_published_shop_whose_removal_was_killed_is_no_lost_warehouse(
    settings, simulated, monkeypatch, removed
):
    class Killed(BaseException):
        pass

    folders, rmtree = [], demo.shutil.rmtree

    def killed(path, **options):
        folders.extend([path] * (path.name in demo.REPLACED))
        if len(folders) > removed:
            raise Killed
        rmtree(path, **options)

    simulate_shop(settings, SHOP, lambda line: None)
    settings.warehouse.parent.mkdir()
    duckdb.connect(str(settings.warehouse)).close()
    settings.serving.mkdir()
    (settings.serving / MANIFEST_FILE).touch()
    later = Shop(date(2026, 5, 11), 60, 5, 1)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(demo.shutil, "rmtree", killed)
        simulate_shop(settings, later, lambda line: None)
    simulate_shop(settings, later, lambda line: None)
    assert files(settings) == ["shop_2026-05-11.csv"]


def test_a_simulation_that_fails_leaves_the_shop_before_and_no_claim_on_real_files(
    settings, simulated, monkeypatch
):
    simulate_shop(settings, SHOP, lambda line: None)

    def fails(*_, **__):
        raise IntentMapError("no room")

    monkeypatch.setattr(sys.modules["orchestration.simulation"], "simulate", fails)
    with pytest.raises(IntentMapError, match="no room"):
        simulate_shop(settings, Shop(date(2026, 5, 11), 60, 5, 1), lambda line: None)
    assert files(settings) == ["shop_2026-05-10.csv"]
    (settings.landing / "generic" / "real.csv").touch()
    with pytest.raises(IntentMapError, match=r"generic/real\.csv"):
        simulate_shop(settings, Shop(date(2026, 5, 11), 60, 5, 1))


def test_a_real_file_that_was_landed_and_removed_keeps_the_home_too(settings, simulated):
    simulate_shop(settings, SHOP, lambda line: None)
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema raw")
        con.execute("create table raw.loads as select 'generic' as source, 'real.csv' as file_name")
    with pytest.raises(IntentMapError, match=r"generic/real\.csv"):
        simulate_shop(settings, Shop(date(2026, 5, 11), 60, 5, 1))
    assert settings.warehouse.exists()


@pytest.mark.parametrize(
    "impossible",
    [{"days": 0}, {"days": 3661}, {"visitors": 0}, {"visitors": 10_000_001}, {"seed": -1}],
)
def test_an_impossible_shop_is_told_before_anything_is_touched(impossible):
    with pytest.raises(IntentMapError, match=f"--{next(iter(impossible))} is "):
        Shop(**{"end_date": date(2026, 5, 10), **impossible})


def test_home_with_landed_files_is_refused(settings, simulated):
    (settings.landing / "generic").mkdir(parents=True)
    (settings.landing / "generic" / "real.csv").touch()
    with pytest.raises(IntentMapError, match=r"data that was not simulated \(generic/real\.csv\)"):
        simulate_shop(settings, SHOP)
    assert simulated == []
    assert files(settings) == ["real.csv"]


def test_home_with_a_warehouse_but_no_record_is_refused(settings, simulated):
    settings.warehouse.parent.mkdir(parents=True)
    duckdb.connect(str(settings.warehouse)).close()
    with pytest.raises(IntentMapError, match="data that was not simulated"):
        simulate_shop(settings, SHOP)


def test_real_file_among_the_simulated_ones_keeps_the_home_from_being_replaced(settings, simulated):
    simulate_shop(settings, SHOP, lambda line: None)
    (settings.landing / "generic" / "real.csv").touch()
    with pytest.raises(IntentMapError, match=r"generic/real\.csv"):
        simulate_shop(settings, Shop(date(2026, 5, 11), 60, 5, 1))
    assert "real.csv" in files(settings)


def test_record_that_cannot_be_read_stops_the_demo(settings, simulated):
    settings.home.mkdir()
    (settings.home / demo.RECORD).write_text("{")
    with pytest.raises(IntentMapError, match=r"simulated\.json' cannot be read"):
        simulate_shop(settings, SHOP)


@pytest.mark.parametrize(
    ("end_date", "days", "expected"),
    [
        (date(2026, 11, 21), 200, [date(2026, 7, 1), date(2026, 10, 1)]),
        # 27 days before July are too few, 28 are enough
        (date(2026, 10, 31), 150, [date(2026, 10, 1)]),
        (date(2026, 10, 31), 151, [date(2026, 7, 1), date(2026, 10, 1)]),
        # the shop's last day is the eve of the quarter
        (date(2026, 9, 30), 100, [date(2026, 10, 1)]),
        (date(2027, 1, 9), 200, [date(2026, 10, 1), date(2027, 1, 1)]),
        (date(2026, 11, 21), 20, [date(2026, 10, 1)]),
    ],
)
def test_quarters_with_28_days_of_history_are_valued(end_date, days, expected):
    assert version_dates(Shop(end_date, days)) == expected


def test_demo_values_the_quarters_and_says_twice_that_it_is_simulated(
    settings, simulated, monkeypatch
):
    order, said = [], []
    runs = types.ModuleType("orchestration.runs")
    runs.run_quarterly = lambda settings, as_of, report=print: order.append(as_of)
    monkeypatch.setitem(sys.modules, "orchestration.runs", runs)
    monkeypatch.setattr("orchestration.report.print_report", lambda *_: order.append("report"))
    monkeypatch.setenv("INTENT_MAP_HOME", "elsewhere")
    demo.run_demo(settings, Shop(date(2026, 11, 21), 200, 5, 1), said.append)
    assert order == [date(2026, 7, 1), date(2026, 10, 1), "report"]
    assert os.environ["INTENT_MAP_HOME"] == str(settings.home)
    assert said[0] == said[-1] == demo.SIMULATED
    text = "\n".join(said)
    assert "How long it took" in text and "all together" in text
    assert "What next" in text
    assert str(settings.serving) in text


def test_of_counted_lines_each_tenth_and_the_last_are_shown():
    said = []
    pass_on = demo.shortened(said.append)
    for number in range(1, 24):
        pass_on(f"  [{number}/23] a_model 0.1 s")
    pass_on("23 tables built")
    assert said == [
        "      [10/23] a_model 0.1 s",
        "      [20/23] a_model 0.1 s",
        "      [23/23] a_model 0.1 s",
        "    23 tables built",
    ]
