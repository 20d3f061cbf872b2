"""A warehouse of an older release is upgraded, one of a newer is refused, and nothing is lost."""

from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration.errors import IntentMapError
from orchestration.landing import land
from orchestration.layout import LAYOUT
from orchestration.migrations import STEPS, _note, bring_up_to_date
from orchestration.publishing import publish
from orchestration.removal import forget_rules
from orchestration.retention import give_up_retired_rows
from orchestration.settings import PROJECT_ROOT, Settings

LAYOUTS = Path(__file__).with_name("layouts")
VALUATION = PROJECT_ROOT / "dbt_project" / "models" / "valuation"


def manifest(**more_columns):
    """The kept tables as the models' YAML declares them, and two other models."""
    nodes = {}
    for name in ("values", "probabilities", "states", "delays"):
        (model,) = yaml.safe_load(
            (VALUATION / f"val_version_{name}.yml").read_text(encoding="utf-8")
        )["models"]
        columns = {column["name"]: column for column in model["columns"]}
        nodes[name] = node("valuation", model["name"], columns, is_kept=True)
    nodes["values"]["columns"] |= {
        column: {"name": column, "data_type": kind} for column, kind in more_columns.items()
    }
    nodes["sessions"] = node("marts", "mart_sessions", {})
    return {"nodes": nodes}


def node(schema, name, columns, **meta):
    return {
        "resource_type": "model",
        "schema": schema,
        "name": name,
        "columns": columns,
        "config": {"meta": meta},
    }


@pytest.fixture
def settings(tmp_path):
    """A home whose warehouse the first landed state of the project made."""
    settings = Settings(home=tmp_path, seeds=tmp_path)
    settings.warehouse.parent.mkdir()
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute((LAYOUTS / "foundation.sql").read_text(encoding="utf-8"))
    return settings


def ask(settings, query):
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return con.execute(query).fetchall()


def tables(settings, schema):
    return [
        name
        for (name,) in ask(
            settings,
            "select table_name from information_schema.tables "
            f"where table_schema = '{schema}' order by all",
        )
    ]


def layout(settings):
    return ask(settings, "select value from raw.build_state where name = '(layout)'")


def quiet(_):
    pass


def test_a_warehouse_from_before_the_numbers_gets_one_and_keeps_its_versions(settings):
    before = ask(settings, "select * from valuation.val_version_values")
    bring_up_to_date(settings, manifest(), quiet)
    assert layout(settings) == [(str(len(STEPS)),)]
    columns = "value_version, valid_from, micro_conversion, probability, value"
    assert ask(settings, f"select {columns} from valuation.val_version_values") == [
        (before[0][0], before[0][1], before[0][3], before[0][6], before[0][12])
    ]
    assert ask(settings, "select count(*) from raw.generic_events") == [(2,)]


def test_columns_that_the_kept_versions_gained_are_empty_in_the_old_ones(settings):
    lines = []
    wanted = {"revision": "integer", "note": "varchar"}
    bring_up_to_date(settings, manifest(**wanted), lines.append)
    assert ask(settings, "select value, revision, note from valuation.val_version_values") == [
        (20, None, None)
    ]
    for column in wanted:
        said = f'Upgraded valuation.val_version_values: add column "{column}"'
        assert sum(line.startswith(said) for line in lines) == 1
    lines.clear()
    bring_up_to_date(settings, manifest(**wanted), lines.append)
    assert lines == []


def test_a_kept_column_that_cannot_take_its_type_is_named(settings):
    changed = manifest()
    changed["nodes"]["values"]["columns"]["micro_conversion"]["data_type"] = "date"
    with pytest.raises(
        IntentMapError, match=r"val_version_values cannot .*micro_conversion.* Keep the old"
    ):
        bring_up_to_date(settings, changed, quiet)


def test_what_no_model_makes_any_more_is_removed_and_no_version_table_ever(settings):
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create table valuation.val_version_of_that_time as select 1 as a")
        con.execute("create table marts.mart_sessions as select 1 as a")
        con.execute("create view marts.mart_view_of_that_time as select * from marts.mart_sessions")
    lines = []
    bring_up_to_date(settings, manifest(), lines.append)
    assert tables(settings, "marts") == ["mart_sessions"]
    assert "val_version_of_that_time" in tables(settings, "valuation")
    assert any("mart_of_that_time: no model makes it any more" in line for line in lines)


def test_where_rows_are_retired_what_came_of_them_stays_for_the_release_that_made_it(settings):
    bring_up_to_date(settings, manifest(), quiet)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create table raw.removals as select load_id, 5::bigint as row_count, "
            "'retired' as reason from raw.loads"
        )
        con.execute("create schema if not exists intermediate")
        for name in ("int_of_that_time", "int_of_that_time__dbt_tmp"):
            con.execute(f"create table intermediate.{name} as select 1 as a")
        con.execute("create table marts.mart_of_that_time as select 1 as a")
    bring_up_to_date(settings, manifest(), quiet)
    assert tables(settings, "intermediate") == ["int_of_that_time"]
    assert "mart_of_that_time" not in tables(settings, "marts")
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("update raw.removals set reason = 'given_up'")
    bring_up_to_date(settings, manifest(), quiet)
    assert tables(settings, "intermediate") == []


def test_a_warehouse_of_a_newer_release_is_refused_and_not_touched(settings):
    bring_up_to_date(settings, manifest(), quiet, steps=(*STEPS, ("more", lambda con: None)))
    content = settings.warehouse.read_bytes()
    with pytest.raises(
        IntentMapError,
        match=rf"newer release \(layout {len(STEPS) + 1}; this one knows up to {len(STEPS)}\)",
    ):
        bring_up_to_date(settings, manifest(), quiet)
    assert settings.warehouse.read_bytes() == content


def test_no_writing_step_touches_a_warehouse_of_a_newer_release(settings):
    with duckdb.connect(str(settings.warehouse)) as con:
        _note(con, LAYOUT + 1)
    content = settings.warehouse.read_bytes()
    writing = (
        lambda: land(settings, report=quiet),
        lambda: publish(settings, "a run", quiet),
        lambda: give_up_retired_rows(settings, quiet),
    )
    for write in writing:
        with pytest.raises(IntentMapError, match="was made by a newer release"):
            write()
    assert settings.warehouse.read_bytes() == content


def test_the_newest_layout_is_that_of_the_last_step():
    assert len(STEPS) == LAYOUT


def test_forgotten_rules_leave_the_number_of_the_layout(settings):
    bring_up_to_date(settings, manifest(), quiet)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("insert into raw.build_state values ('a rule', '1', now())")
        forget_rules(con)
    assert ask(settings, "select name from raw.build_state") == [("(layout)",)]


def test_each_step_runs_once_and_a_failed_one_leaves_nothing_and_is_tried_again(settings):
    def add(con):
        con.execute("update valuation.val_version_values set value = value + 1")

    def fail(con):
        add(con)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bring_up_to_date(settings, manifest(), quiet, steps=(*STEPS, ("a", add), ("b", fail)))
    assert layout(settings) == [(str(len(STEPS) + 1),)]
    mended = (*STEPS, ("a", add), ("b", add))
    bring_up_to_date(settings, manifest(), quiet, steps=mended)
    bring_up_to_date(settings, manifest(), quiet, steps=mended)
    assert ask(settings, "select value from valuation.val_version_values") == [(22,)]


def test_a_fresh_warehouse_needs_no_steps(tmp_path):
    settings = Settings(home=tmp_path, seeds=tmp_path)
    settings.warehouse.parent.mkdir()
    duckdb.connect(str(settings.warehouse)).close()
    unneeded = (("a", lambda con: pytest.fail("a step on a fresh warehouse")),) * 2
    bring_up_to_date(settings, manifest(), quiet, steps=unneeded)
    assert layout(settings) == [("2",)]


def test_a_home_without_a_warehouse_is_left_without(tmp_path):
    settings = Settings(home=tmp_path, seeds=tmp_path)
    bring_up_to_date(settings, manifest(), quiet)
    assert list(tmp_path.iterdir()) == []
