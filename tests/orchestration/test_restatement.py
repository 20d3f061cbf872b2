"""Which number the next restatement of a version gets, from what the warehouse holds of it."""

from datetime import date

import duckdb
import pytest

from orchestration.errors import IntentMapError
from orchestration.restatement import KEPT_TABLES, Restatement, is_written, next_restatement
from orchestration.settings import PROJECT_ROOT, Settings

DAY = date(2026, 7, 1)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "warehouse").mkdir()
    return Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")


def write(settings, number, tables=KEPT_TABLES, columns="valid_from, restatement"):
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists valuation")
        for table in tables:
            row = f"select date '{DAY}' as valid_from, {number} as restatement"
            con.execute(
                f"create table if not exists valuation.{table} as "
                f"select {columns} from ({row}) limit 0"
            )
            con.execute(f"insert into valuation.{table} select {columns} from ({row})")


@pytest.mark.parametrize("columns", ["valid_from, restatement", "valid_from"])
def test_the_first_restatement_of_a_version_has_the_number_one(settings, columns):
    write(settings, "cast(null as integer)", columns=columns)
    assert next_restatement(settings, DAY, " why ") == Restatement(1, "why")


def test_the_next_one_follows_the_newest_that_is_whole(settings):
    write(settings, 0)
    write(settings, 1)
    # the run that wrote the second one was killed half-way
    write(settings, 2, KEPT_TABLES[:3])
    assert next_restatement(settings, DAY, "why").number == 2
    write(settings, 2, KEPT_TABLES[3:])
    assert next_restatement(settings, DAY, "why").number == 3


def test_every_kept_table_of_the_project_is_asked():
    valuation = PROJECT_ROOT / "dbt_project" / "models" / "valuation"
    kept = {path.stem for path in valuation.glob("*.sql") if "is_kept" in path.read_text("utf-8")}
    assert kept == set(KEPT_TABLES)


@pytest.mark.parametrize("day", [date(2026, 4, 1), DAY])
def test_without_a_version_there_is_nothing_to_restate(settings, day):
    if day != DAY:
        write(settings, 0)
    with pytest.raises(IntentMapError, match=f"no value version valid from {day} to restate"):
        next_restatement(settings, day, "why")


@pytest.mark.parametrize("table", KEPT_TABLES[:3])
def test_what_holds_no_values_is_no_version(settings, table):
    write(settings, 0)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(f"delete from valuation.{table}")
    with pytest.raises(IntentMapError, match=f"no value version valid from {DAY} to restate"):
        next_restatement(settings, DAY, "why")


def test_a_version_that_nobody_bought_in_is_restated(settings):
    write(settings, 0)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("delete from valuation.val_version_delays")
    assert next_restatement(settings, DAY, "why").number == 1


@pytest.mark.parametrize("why", ["", " "])
def test_what_is_missing_is_told_in_the_words_of_the_command_line_and_of_a_run_in_dagster(
    settings, why
):
    with pytest.raises(IntentMapError) as no_reason:
        next_restatement(settings, DAY, why)
    assert "--why TEXT beside --restate on the command line" in str(no_reason.value)
    assert "in Dagster why beside restate in the config of quarterly_models" in str(no_reason.value)
    with pytest.raises(IntentMapError) as no_version:
        next_restatement(settings, DAY, "why")
    assert "in Dagster without restate in the config of quarterly_models" in str(no_version.value)


def test_a_version_that_is_there_is_kept_and_one_cut_short_is_not(settings):
    assert not is_written(settings, DAY)
    write(settings, 0, KEPT_TABLES[:2])
    write(settings, 0, KEPT_TABLES[2:3], columns="valid_from")
    assert is_written(settings, DAY)
    assert not is_written(settings, date(2026, 4, 1))
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(f"delete from valuation.{KEPT_TABLES[2]}")
    assert not is_written(settings, DAY)
