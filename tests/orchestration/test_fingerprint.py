"""Everything is built anew when a rule that built rows follow has changed, and only then."""

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import duckdb
import pytest

from orchestration import dbt_runner, fingerprint
from orchestration.errors import IntentMapError
from orchestration.settings import Settings

pytest_plugins = ["stub_project"]

PARTS = ["business files", "policy", "models", "engine"]


def _node(name, kind, parents=(), **changes):
    return {
        "name": name,
        "resource_type": kind,
        "raw_code": f"select '{name}'",
        "config": {"materialized": {"seed": "seed"}.get(kind, "table")},
        "columns": {"a": {"name": "a", "data_type": "varchar", "description": "Old words."}},
        "description": "Old words.",
        "original_file_path": f"../seeds/{name}.csv",
        **changes,
    }


@pytest.fixture
def manifest():
    nodes = {
        "seed.rules": _node("rules", "seed"),
        "seed.labels": _node("labels", "seed"),
        "model.stg": _node("stg_events", "model"),
        "model.int": _node("int_sessions", "model", config={"materialized": "incremental"}),
        "model.mart": _node("mart_values", "model"),
        "model.val": _node(
            "val_versions",
            "model",
            config={"materialized": "incremental", "full_refresh": False},
        ),
    }
    return {
        "nodes": nodes,
        "parent_map": {
            "model.stg": ["seed.rules"],
            "model.int": ["model.stg"],
            "model.mart": ["model.int", "seed.labels"],
            "model.val": ["seed.labels"],
        },
        "macros": {
            "macro.own": {"package_name": "intent_map", "macro_sql": "one"},
            "macro.dbt": {"package_name": "dbt", "macro_sql": "one"},
        },
        "metadata": {"dbt_version": "1.11.16", "project_name": "intent_map"},
    }


@pytest.fixture
def settings(project):
    return project.settings()


def _changed(settings, manifest, change=None, **new_settings):
    """Parts that differ after `change` was made to a copy of the manifest."""
    before = fingerprint.current(settings, manifest)
    manifest = copy.deepcopy(manifest)
    if change:
        change(manifest)
    values = {**settings.__dict__, **new_settings}
    after = fingerprint.current(Settings(**values), manifest)
    return [part for part in before if before[part] != after[part]]


def test_nothing_differs_when_nothing_changed(settings, manifest):
    assert _changed(settings, manifest) == []
    assert list(fingerprint.current(settings, manifest)) == PARTS


def test_a_business_file_that_built_rows_rest_on_counts(settings, manifest, project):
    def change(_):
        project.write("seeds/rules.csv", "rule,weight\nv1,2\n")

    assert _changed(settings, manifest, change) == ["business files"]


def test_a_business_file_that_is_read_anew_each_night_does_not_count(
    settings,
    manifest,
    project,
):
    def change(_):
        project.write("seeds/labels.csv", "label\nother\n")

    assert _changed(settings, manifest, change) == []


def test_an_overridden_policy_var_counts(settings, manifest):
    assert _changed(settings, manifest, dbt_vars={"horizon_days": 20}) == ["policy"]


def test_an_override_with_the_value_in_force_does_not_count(settings, manifest):
    assert _changed(settings, manifest, dbt_vars={"horizon_days": 30}) == []


def test_the_version_date_does_not_count(settings, manifest):
    assert _changed(settings, manifest, dbt_vars={"version_date": "2026-07-01"}) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["nodes"]["model.mart"].update(raw_code="select 2"),
        lambda m: m["nodes"]["model.int"]["config"].update(unique_key="a"),
        lambda m: m["nodes"]["model.int"]["columns"]["a"].update(data_type="bigint"),
        lambda m: m["macros"]["macro.own"].update(macro_sql="two"),
        lambda m: m["nodes"].pop("model.mart"),
    ],
    ids=["sql", "configuration", "column type", "macro", "removed model"],
)
def test_what_models_do_counts(settings, manifest, change):
    assert _changed(settings, manifest, change) == ["models"]


def test_descriptions_do_not_count(settings, manifest):
    def change(new):
        new["nodes"]["model.int"]["description"] = "New words."
        new["nodes"]["model.int"]["columns"]["a"]["description"] = "New words."

    assert _changed(settings, manifest, change) == []


def test_the_version_of_dbt_counts(settings, manifest):
    def change(new):
        new["metadata"]["dbt_version"] = "1.11.17"

    assert _changed(settings, manifest, change) == ["engine"]


def test_the_version_of_duckdb_counts(settings, manifest, monkeypatch):
    def change(_):
        monkeypatch.setattr(duckdb, "__version__", "9.9.9")

    assert _changed(settings, manifest, change) == ["engine"]


def test_version_tables_are_never_built_anew(manifest):
    assert fingerprint.incremental_models(manifest) == {"int_sessions"}
    assert fingerprint.incremental_models(manifest, ["mart_values"]) == set()


def _warehouse(settings, *tables):
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as con:
        for table in tables:
            con.execute(f"create table {table} (a int)")


RULES = dict.fromkeys(PARTS, "old")
EVERYTHING = ("rules", "labels", "stg_events", "int_sessions", "mart_values")


def test_a_fresh_home_has_nothing_to_build_anew(settings):
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == []
    _warehouse(settings)
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == []


def test_the_changed_part_is_told_for_the_models_asked_about(settings, manifest):
    _warehouse(settings, "int_sessions", "mart_values")
    now = {**RULES, "policy": "new"}
    fingerprint.remember(settings, now, manifest, EVERYTHING)
    fingerprint.forget(settings, now, ["policy"], ["mart_values"])
    assert fingerprint.changed_parts(settings, now, ["int_sessions"]) == []
    assert fingerprint.changed_parts(settings, now, ["int_sessions", "mart_values"]) == ["policy"]


def test_a_table_built_outside_these_runs_counts_as_changed_in_all_parts(settings):
    _warehouse(settings, "int_sessions")
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == PARTS


def test_remembering_again_replaces_what_was_noted(settings, manifest):
    _warehouse(settings, "int_sessions")
    fingerprint.remember(settings, RULES, manifest, EVERYTHING)
    fingerprint.remember(settings, {**RULES, "engine": "new"}, manifest, EVERYTHING)
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == ["engine"]


def test_what_was_built_on_tables_of_other_rules_does_not_follow_the_new_ones(settings, manifest):
    _warehouse(settings, "int_sessions")
    fingerprint.remember(settings, RULES, manifest, EVERYTHING)
    now = {**RULES, "business files": "new"}
    fingerprint.forget(settings, now, ["business files"], ["int_sessions"])
    assert fingerprint.remember(settings, now, manifest, ["int_sessions"]) == ["int_sessions"]
    assert fingerprint.changed_parts(settings, now, ["int_sessions"]) == ["business files"]


def test_what_was_built_on_other_rules_is_not_up_to_date_for_rules_put_back(settings, manifest):
    _warehouse(settings, "int_sessions")
    fingerprint.remember(settings, RULES, manifest, EVERYTHING)
    other = {**RULES, "business files": "new"}
    fingerprint.remember(settings, other, manifest, ["rules"])
    assert fingerprint.remember(settings, RULES, manifest, ["int_sessions"]) == ["int_sessions"]
    fingerprint.remember(settings, RULES, manifest, ["rules"])
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == ["business files"]


def test_a_version_is_refused_while_a_table_below_follows_other_rules(settings, manifest):
    manifest["nodes"]["model.val"]["config"]["tags"] = ["quarterly"]
    manifest["parent_map"]["model.val"] = ["model.int"]
    fingerprint.refuse_to_value(settings, RULES, manifest, ["val_versions"])
    _warehouse(settings, "int_sessions", "stg_events", "rules")
    fingerprint.remember(settings, RULES, manifest, EVERYTHING)
    fingerprint.refuse_to_value(settings, RULES, manifest, ["val_versions"])
    now = {**RULES, "policy": "new"}
    # a data test writes nothing
    fingerprint.refuse_to_value(settings, now, manifest, ["is_unique_val_versions"])
    fingerprint.remember(settings, now, manifest, ["rules", "stg_events"])
    with pytest.raises(IntentMapError, match=r"policy vars changed since .* \(int_sessions\)\."):
        fingerprint.refuse_to_value(settings, now, manifest, ["val_versions"])


def test_a_run_may_be_cut_in_two_where_the_lower_tables_come_first(settings, manifest):
    _warehouse(settings, "int_sessions")
    assert fingerprint.remember(settings, RULES, manifest, ["rules", "stg_events"]) == []
    assert fingerprint.remember(settings, RULES, manifest, ["int_sessions"]) == []
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == []


def test_a_build_that_stops_half_way_leaves_nothing_up_to_date_for_rules_put_back(
    settings, manifest
):
    _warehouse(settings, "int_sessions")
    fingerprint.remember(settings, RULES, manifest, EVERYTHING)
    fingerprint.forget(settings, {**RULES, "policy": "new"}, ["policy"], ["int_sessions"])
    assert fingerprint.changed_parts(settings, RULES, ["int_sessions"]) == ["policy"]


def test_tables_of_the_quarterly_clock_need_not_follow_the_rules(settings, manifest):
    manifest["nodes"]["model.val"]["config"]["tags"] = ["quarterly"]
    manifest["parent_map"]["model.int"].append("model.val")
    _warehouse(settings, "int_sessions")
    assert fingerprint.remember(settings, RULES, manifest, EVERYTHING) == []


@pytest.fixture
def built(settings, manifest):
    """All tables built under the rules in force, with the manifest of that run in its place."""
    path = dbt_runner.manifest_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    _warehouse(settings, "int_sessions")
    fingerprint.remember(settings, fingerprint.current(settings, manifest), manifest, EVERYTHING)
    return settings


def test_before_the_first_run_nothing_is_foreseen(settings):
    assert fingerprint.foreseen(settings) == ""


def test_a_night_that_builds_anew_is_foreseen_until_the_rules_are_put_back(built):
    assert fingerprint.foreseen(built) == ""
    path = built.seeds / "rules.csv"
    before = path.read_bytes()
    path.write_text("rule,weight\nv1,2\n", encoding="utf-8")
    assert fingerprint.foreseen(built) == (
        "The next night will build all rows anew: the business files changed since they were built."
    )
    path.write_bytes(before)
    assert fingerprint.foreseen(built) == ""


def test_another_folder_of_business_files_is_foreseen(built, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(built.seeds, own)
    assert fingerprint.foreseen(replace(built, seeds=own)) == ""
    (own / "rules.csv").write_text("rule,weight\nv1,2\n", encoding="utf-8")
    assert "the business files changed" in fingerprint.foreseen(replace(built, seeds=own))


def test_while_the_warehouse_is_held_nothing_can_be_foreseen(built):
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(built.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        holder.stdout.readline()
        with pytest.raises(IntentMapError, match="cannot be told now, since the warehouse cannot"):
            fingerprint.foreseen(built)
        holder.communicate(b"\n")
    assert fingerprint.foreseen(built) == ""


def test_a_newer_list_of_bots_counts_and_is_named(settings, manifest, monkeypatch):
    def change(_):
        monkeypatch.setattr(fingerprint, "version", lambda package: f"newer {package}")

    changed = _changed(settings, manifest, change)
    assert changed == ["engine"]
    assert "or the list of bots changed" in fingerprint.in_words(changed)


def test_the_reason_is_said_in_words():
    assert fingerprint.in_words(["policy"]) == (
        "Building all rows anew: policy vars changed since they were built."
    )
    assert "the business files, policy vars and the dbt models" in fingerprint.in_words(PARTS[:3])


def test_what_is_left_behind_is_said_in_words():
    said = fingerprint.behind_in_words([f"int_{n}" for n in range(6)])
    assert "int_4, ..." in said and "int_5" not in said
