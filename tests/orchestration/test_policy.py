"""The policy check stops on impossible values, with their name, and lets the shipped ones pass."""

import dataclasses
from datetime import date

import jinja2
import pytest
import yaml

from orchestration import policy
from orchestration.errors import IntentMapError
from orchestration.policy import check_policy, judge_policy, parse_iso_date
from orchestration.settings import PROJECT_ROOT, Settings

DECLARED = {
    "session_timeout_minutes": 30,
    "prior_strength": 20,
    "attribution_half_life_days": 7,
    "interval_level": 0.95,
    "look_back_days": 90,
    "horizon_days": 30,
    "trial_unit": "session",
    "event_sources": ["generic", "ga4"],
    "cap_soft": 0.3,
    "cap_medium": 0.6,
    "cap_hard": 0.95,
    "reporting_time_zone": "UTC",
    "reporting_currency": "USD",
    "project_start_date": "2015-01-01",
    "version_date": None,
    "restatement": 0,
    "restatement_reason": None,
    "raw_retention_days": 0,
    "refused_retention_days": 0,
    "attached_sources": {},
    "policy": {
        "session_timeout_minutes": {"minimum": 1, "maximum": 475, "reason": "A convention."},
        "prior_strength": {"minimum": 1, "maximum": 10000, "reason": "A weight."},
        "attribution_half_life_days": {"minimum": 0.1, "maximum": 365, "reason": "Decay."},
        "interval_level": {"minimum": 0.5, "maximum": 0.999, "reason": "A share."},
        "look_back_days": {"minimum": 1, "maximum": 1095, "advised": [28, 90], "reason": "Old."},
        "horizon_days": {"minimum": 0, "maximum": 365, "fractions": True, "reason": "Counts."},
        "trial_unit": {"choices": ["session", "user"], "reason": "Counted once."},
        "event_sources": {"items": ["generic", "ga4"], "reason": "One model each."},
        "cap_soft": {"minimum": 0, "maximum": 1, "reason": "A share."},
        "cap_medium": {"minimum": 0, "maximum": 1, "reason": "A share."},
        "cap_hard": {"minimum": 0, "maximum": 1, "reason": "A share."},
        "refused_retention_days": {"minimum": 0, "maximum": 36500, "reason": "To look at why."},
    },
}


def faults_of(**overrides):
    return judge_policy(DECLARED, overrides)[0]


def test_declared_values_pass_without_warning():
    assert judge_policy(DECLARED, {}) == ([], [])


def test_shipped_project_file_passes_without_warning():
    settings = Settings(home=PROJECT_ROOT / "home", seeds=PROJECT_ROOT / "seeds")
    assert check_policy(settings) == []


def test_every_shipped_var_has_a_check():
    declared = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    unchecked = set(declared) - {"policy"} - set(declared["policy"]) - set(policy.SPECIAL)
    assert unchecked == set()


def test_every_shipped_rule_has_a_reason_and_a_var():
    declared = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    for name, rule in declared["policy"].items():
        assert name in declared, name
        assert rule.get("reason"), name


def test_sentence_names_the_var_its_value_the_range_and_the_reason():
    assert faults_of(session_timeout_minutes=0) == [
        "session_timeout_minutes is 0; allowed is 1 to 475. A convention. "
        "It stands in INTENT_MAP_VARS."
    ]


@pytest.mark.parametrize("days", [0, 0.25, 365])
def test_a_horizon_may_be_a_part_of_a_day(days):
    shipped = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    assert judge_policy(shipped, {"horizon_days": days})[0] == []


@pytest.mark.parametrize("value", [1, 475, 30])
def test_both_ends_of_a_range_are_allowed(value):
    assert faults_of(session_timeout_minutes=value) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("session_timeout_minutes", 476, "allowed is 1 to 475"),
        ("session_timeout_minutes", "30", "as a number without quotes"),
        ("session_timeout_minutes", True, "session_timeout_minutes is true; allowed is 1 to 475"),
        ("session_timeout_minutes", None, "session_timeout_minutes is null"),
        ("session_timeout_minutes", [30], "as a number"),
        ("session_timeout_minutes", 30.5, "as a whole number"),
        ("prior_strength", 1.0, "as a whole number"),
        ("interval_level", float("nan"), "as a number"),
        ("interval_level", 1, "allowed is 0.5 to 0.999"),
        ("trial_unit", "visit", "trial_unit is 'visit'; allowed is one of session, user"),
        ("trial_unit", ["session"], "allowed is one of session, user"),
        ("event_sources", ["generic", "snowplow"], "allowed is a list of generic, ga4"),
        ("event_sources", "generic", "allowed is a list of generic, ga4"),
        ("event_sources", [], "at least one"),
        ("event_sources", ["ga4", "ga4"], "each once"),
        ("event_sources", [["ga4"]], "allowed is a list"),
        ("reporting_time_zone", "Berlin", "reporting_time_zone is 'Berlin'; allowed is a name"),
        ("reporting_time_zone", "Europe", "allowed is a name"),
        ("reporting_time_zone", "../UTC", "allowed is a name"),
        ("reporting_time_zone", "", "allowed is a name"),
        ("reporting_time_zone", 2, "allowed is a name"),
        ("reporting_time_zone", "localtime", "allowed is a name"),
        ("reporting_time_zone", "right/Europe/Berlin", "allowed is a name"),
        ("reporting_currency", "usd", "three capital letters"),
        ("reporting_currency", "EURO", "three capital letters"),
        ("project_start_date", "01.02.2015", "project_start_date is '01.02.2015'; allowed is a"),
        ("project_start_date", "2015-02-30", "allowed is a date"),
        ("project_start_date", None, "allowed is a date"),
        ("project_start_date", "2999-01-01", "yet to come"),
        ("project_start_date", "1969-12-31", "allowed is a date from 1970-01-01 on"),
        ("version_date", "2026-07-01", "`intent-map quarterly --as-of`, or in Dagster as the part"),
        ("version_date", date(2026, 7, 1), "never by a setting"),
        ("restatement", 1, "never by a setting"),
        ("restatement", 1, "in Dagster by restate in the config of quarterly_models"),
        ("restatement_reason", "because", "--restate --why"),
        ("restatement_reason", "because", "in Dagster as why beside restate in the config"),
        ("version_date", 20260701, "never by a setting"),
        ("attached_sources", ["a"], "allowed is a mapping"),
    ],
)
def test_impossible_value_is_refused_by_name(name, value, said):
    (fault,) = faults_of(**{name: value})
    assert fault.startswith(f"{name} is ")
    assert said in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attribution_half_life_days", 0.5),
        ("cap_hard", 1),
        ("trial_unit", "user"),
        ("event_sources", ["ga4"]),
        ("reporting_time_zone", "Europe/Berlin"),
        ("reporting_currency", "EUR"),
        ("project_start_date", "1970-01-01"),
        ("version_date", None),
    ],
)
def test_possible_value_passes(name, value):
    assert judge_policy(DECLARED, {name: value}) == ([], [])


def test_unknown_var_is_refused_with_the_nearest_known_one():
    (fault,) = faults_of(session_timeout_minute=20)
    assert "'session_timeout_minute', which is no policy var" in fault
    assert "'session_timeout_minutes'" in fault


def test_policy_block_itself_is_not_a_var():
    (fault,) = faults_of(policy={})
    assert "'policy', which is no policy var" in fault


def test_value_outside_the_advised_range_is_only_a_warning():
    faults, warnings = judge_policy(DECLARED, {"look_back_days": 365})
    assert faults == []
    assert warnings == ["look_back_days is 365; advised is 28 to 90. Old."]


@pytest.mark.parametrize(("look_back", "warned"), [(31, 0), (30, 1), (28, 1)])
def test_a_look_back_no_longer_than_the_horizon_is_a_warning(look_back, warned):
    faults, warnings = judge_policy(DECLARED, {"look_back_days": look_back})
    assert faults == []
    assert len(warnings) == warned
    assert all(
        f"look_back_days is {look_back}; advised is more than horizon_days, which is 30" in warning
        for warning in warnings
    )


@pytest.mark.parametrize(
    ("raw", "refused", "warned"), [(30, 365, 1), (30, 30, 0), (30, 0, 0), (0, 365, 0)]
)
def test_refused_rows_that_go_with_the_raw_ones_are_a_warning(raw, refused, warned):
    faults, warnings = judge_policy(
        DECLARED, {"raw_retention_days": raw, "refused_retention_days": refused}
    )
    assert faults == []
    assert len(warnings) == warned
    assert all(
        "refused_retention_days is 365; advised is at most raw_retention_days, which is 30."
        in warning
        for warning in warnings
    )


def test_a_table_attached_for_a_source_that_is_not_in_use_is_a_warning():
    attached = {source: {"database": "/x.duckdb"} for source in ("ga4", "segment", "orders")}
    faults, warnings = judge_policy(DECLARED, {"attached_sources": attached})
    assert faults == []
    assert warnings == [
        "attached_sources names segment, which event_sources leaves out, so none of its rows are "
        "read. List it there, or take the table out."
    ]


def test_all_faults_are_named_at_once():
    assert len(faults_of(trial_unit="x", reporting_currency="y", unheard_of=1)) == 3


def test_caps_must_not_fall_from_soft_to_hard():
    (fault,) = faults_of(cap_medium=0.2)
    assert fault.startswith("cap_soft is 0.3; allowed is at most cap_medium, which is 0.2.")


def test_macros_that_grew_like_a_traps_micros_are_not_flat():
    declared = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    (fault,) = judge_policy(declared, {"trap_flat_growth": 1.3})[0]
    assert fault.startswith(
        "trap_flat_growth is 1.3; allowed is at most trap_growth, which is 1.2."
    )


def test_a_declared_value_is_judged_like_an_override():
    faults, _ = judge_policy(DECLARED | {"session_timeout_minutes": "thirty"}, {})
    assert len(faults) == 1 and "session_timeout_minutes is 'thirty'" in faults[0]
    assert faults[0].endswith("It stands in dbt_project.yml.")


def test_a_declared_part_of_a_count_is_refused_too():
    (fault,) = judge_policy(DECLARED | {"session_timeout_minutes": 30.5}, {})[0]
    assert "session_timeout_minutes is 30.5; allowed is 1 to 475, as a whole number" in fault


@pytest.mark.parametrize("name", ["leak_sigmas", "warning_sigmas", "negligible_lift"])
def test_a_whole_declared_value_forbids_no_fraction(name):
    shipped = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    assert judge_policy(shipped | {name: 3}, {name: 2.5})[0] == []


def test_a_missing_var_is_named_with_its_reason():
    declared = {name: value for name, value in DECLARED.items() if name != "look_back_days"}
    assert judge_policy(declared, {})[0] == [
        "look_back_days is missing in dbt_project.yml; put it back under vars. Old."
    ]


def test_a_declared_var_without_a_rule_is_refused_with_the_nearest_known_one():
    (fault,) = judge_policy(DECLARED | {"look_back_day": 30}, {})[0]
    assert "dbt_project.yml names 'look_back_day'" in fault and "'look_back_days'" in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vars:\n  a: 1\n  b: 2\n  a: 3\n", r"row 4: 'a' stands in row 2 already"),
        ("vars:\n  a: 1\n\tb: 2\n", r"dbt_project\.yml, row \d: this is no YAML"),
        ("vars:\n", "must be mappings"),
        ("- vars\n", "must be mappings"),
        ("vars: {policy: }\n", "must be mappings"),
    ],
)
def test_a_broken_project_file_is_named_with_its_row(tmp_path, monkeypatch, text, said):
    file = tmp_path / "dbt_project.yml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(policy, "PROJECT_FILE", file)
    with pytest.raises(IntentMapError, match=said):
        check_policy(Settings(home=tmp_path, seeds=tmp_path))


def said_by_dbt(values):
    """What the macro that guards dbt alone raises; None when it lets the values pass."""

    class StopError(Exception):
        pass

    def stop(sentence):
        raise StopError(sentence)

    macro = PROJECT_ROOT / "dbt_project" / "macros" / "hooks" / "check_policy.sql"
    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(
        macro.read_text(encoding="utf-8") + "{{ check_policy() }}"
    )
    try:
        template.render(var=values.get, exceptions={"raise_compiler_error": stop})
    except StopError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_timeout_minutes", 0),
        ("session_timeout_minutes", 30.5),
        ("session_timeout_minutes", True),
        ("session_timeout_minutes", None),
        ("cap_hard", "0.5"),
        ("trial_unit", "visit"),
        ("session_cut_at_campaign", 1),
        ("event_sources", []),
        ("event_sources", "ga4"),
        ("event_sources", ["ga5"]),
    ],
)
def test_dbt_alone_refuses_the_same_values(name, value):
    shipped = yaml.safe_load(policy.PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    assert said_by_dbt(shipped | {"leak_sigmas": 2.25, "horizon_days": 0.5}) is None
    assert judge_policy(shipped, {name: value})[0]
    assert said_by_dbt(shipped | {name: value}).startswith(f"{name} is ")


@pytest.mark.parametrize("value", ["2026-07-01", date(2026, 7, 1)])
def test_a_version_date_without_quotes_names_the_same_version(value):
    macro = PROJECT_ROOT / "dbt_project" / "macros" / "expressions" / "value_version.sql"
    text = macro.read_text(encoding="utf-8") + "{{ value_version() }}"
    rendered = jinja2.Environment().from_string(text).render(var=lambda name: value)
    assert rendered.strip() == "'2026-Q3'"


def test_check_policy_raises_a_sentence_for_an_override(tmp_path):
    settings = Settings(home=tmp_path, seeds=tmp_path)
    settings = dataclasses.replace(settings, dbt_vars={"session_timeout_minutes": 0})
    with pytest.raises(IntentMapError, match=r"session_timeout_minutes is 0; allowed is 1 to 475"):
        check_policy(settings)


def test_effective_vars_are_the_declared_ones_under_the_overrides(tmp_path):
    settings = Settings(home=tmp_path, seeds=tmp_path, dbt_vars={"horizon_days": 7})
    values = policy.effective_vars(settings)
    assert values["horizon_days"] == 7
    assert values["starter_pack"] == "ecommerce"
    assert "policy" not in values


@pytest.mark.parametrize("text", ["20260701", "2026-W27-1", "2026-07-01T00:00", "", None, 1])
def test_only_the_dashed_form_is_a_date(text):
    assert parse_iso_date(text) is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"minimum_response_weeks": 104}, "minimum_response_weeks is 104; allowed is at most resp"),
        ({"health_lost_volume": 0.9}, "health_lost_volume is 0.9; allowed is at most health_low"),
    ],
)
def test_vars_that_contradict_each_other_are_named(tmp_path, override, said):
    settings = Settings(home=tmp_path, seeds=tmp_path, dbt_vars=override)
    with pytest.raises(IntentMapError, match=said):
        check_policy(settings)
