"""Each guardrail of the values is broken on purpose, to see what holds it fail."""

import pytest
from pipeline import test_known_truth
from pipeline.homes import Home, Workshop
from pipeline.many_shops import compile_models
from pipeline.mutants import BrokenProject, Mutation, unit_tests_pass
from pipeline.valued_home import VERSION_DATE, ValuedHome

VALUATION = "models/valuation"
VALUES = f"{VALUATION}/val_micro_values.sql"
# held by the unit tests of the model
BY_UNIT_TESTS = (
    (
        "val_micro_values",
        Mutation(
            "no value is above its tier's share",
            VALUES,
            "least(held_value, cap) as capped_value",
            "held_value as capped_value",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "nothing is worth more than what is hard",
            VALUES,
            "else least(capped_value, coalesce(least_known_hard, capped_value))",
            "else capped_value",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "what is soft is not worth more than what is medium",
            VALUES,
            "else least(value_below_hard, coalesce(least_known_medium, value_below_hard))",
            "else value_below_hard",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "what is worth nothing pulls nobody down",
            VALUES,
            "when tier_rank = 3 and capped_value > 0 and",
            "when tier_rank = 3 and capped_value >= 0 and",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "a rare act lowers nothing that has trials enough",
            VALUES,
            "when tier_rank = 3 and capped_value > 0 and verdict <> 'too_few' then",
            "when tier_rank = 3 and capped_value > 0 then",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "a rare act is worth no more than what is hard",
            VALUES,
            "then least(capped_value, coalesce(least_hard, capped_value))",
            "then capped_value",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "what misleads is worth nothing",
            VALUES,
            "values_before_guardrails.verdict = 'misleading'",
            "false",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "what is unclear everywhere is worth nothing",
            VALUES,
            "verdict_of_all in ('unclear', 'misleading')",
            "verdict_of_all in ('misleading')",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "too few trials are said",
            VALUES,
            "when verdict = 'too_few' then 'minimum_trials'",
            "when false then 'minimum_trials'",
        ),
    ),
    (
        "val_micro_values",
        Mutation(
            "the rule that set the value is named",
            VALUES,
            "when capped_value < held_value then 'tier_cap'",
            "when false then 'tier_cap'",
        ),
    ),
    (
        "val_probabilities",
        Mutation(
            "too few trials have no verdict",
            f"{VALUATION}/val_probabilities.sql",
            "when bounded.trials < {{ var('minimum_trials') }} then 'too_few'",
            "when false then 'too_few'",
        ),
    ),
    (
        "val_macro_values",
        Mutation(
            "one huge order does not set the average",
            f"{VALUATION}/val_macro_values.sql",
            "max(ceiling) * count(case when value > ceiling then 1 end)",
            "sum(case when value > ceiling then value else 0 end)",
        ),
    ),
    (
        "val_session_credits",
        Mutation(
            "one huge order does not make a state rich",
            f"{VALUATION}/val_session_credits.sql",
            "least(cast(macro_conversions.value as double), spreads.ceiling) * spreads",
            "cast(macro_conversions.value as double) * spreads",
        ),
    ),
    (
        "val_session_credits",
        Mutation(
            "what lies above the quantile is not lost",
            f"{VALUATION}/val_session_credits.sql",
            "spreads.ceiling) * spreads.factor",
            "spreads.ceiling)",
        ),
    ),
)
# held by a version on rows of a simulated shop behind another one
LARGEST_CHANGE = (
    Mutation(
        "a value does not fall by more than the share",
        VALUES,
        "probability_value, previous_value * (1 - {{ var('maximum_value_change') }})",
        "probability_value, 0.0",
    ),
    Mutation(
        "a value does not rise by more than the share",
        VALUES,
        "previous_value * (1 + {{ var('maximum_value_change') }})",
        "probability_value",
    ),
    Mutation(
        "a value that was nothing may come to any",
        VALUES,
        "when previous_value > 0",
        "when previous_value >= 0",
    ),
)


@pytest.fixture(scope="module")
def project(workshop: Workshop) -> BrokenProject:
    return BrokenProject(workshop.folder / "broken_guardrails")


@pytest.fixture(scope="module")
def home(project: BrokenProject, valued: ValuedHome) -> Home:
    return project.home(valued.home, "broken_guardrails_home")


@pytest.fixture(scope="module")
def fresh(project: BrokenProject, workshop: Workshop) -> Home:
    """Without tables, so that models compile as for the first time."""
    return project.home(workshop.home("nothing_there"), "broken_largest_change")


def test_every_guardrail_still_stands_where_it_is_broken() -> None:
    mutations = [*(mutation for _, mutation in BY_UNIT_TESTS), *LARGEST_CHANGE]
    assert not [fault for mutation in mutations if (fault := mutation.fault())]


def nothing(mutation: Mutation) -> Mutation:
    return Mutation("nothing", mutation.file, mutation.old, f"{mutation.old} ")


@pytest.mark.deep
@pytest.mark.parametrize(
    ("model", "mutation"), BY_UNIT_TESTS, ids=[mutation.rule for _, mutation in BY_UNIT_TESTS]
)
def test_a_broken_guardrail_fails_a_unit_test(
    project: BrokenProject, home: Home, model: str, mutation: Mutation
) -> None:
    with project.broken(nothing(mutation)):
        assert unit_tests_pass(home, model)
    with project.broken(mutation):
        assert not unit_tests_pass(home, model)


@pytest.mark.deep
@pytest.mark.parametrize(
    "mutation", LARGEST_CHANGE, ids=[mutation.rule for mutation in LARGEST_CHANGE]
)
def test_a_broken_largest_change_lets_a_value_leave_the_last_one(
    project: BrokenProject, fresh: Home, mutation: Mutation
) -> None:
    check = test_known_truth.test_a_value_follows_a_new_quarter_by_no_more_than_the_stated_share
    with project.broken(nothing(mutation)):
        check(compile_models(fresh, VERSION_DATE, test_known_truth.MODELS))
    with project.broken(mutation), pytest.raises(AssertionError):
        check(compile_models(fresh, VERSION_DATE, test_known_truth.MODELS))
