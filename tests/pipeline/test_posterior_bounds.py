"""Bounds of the Beta posteriors, also where a posterior has none because a parameter is nothing."""

import importlib.util

import duckdb
import pytest
from scipy import stats

from orchestration.settings import PROJECT_ROOT

CONFIG = {"interval_level": 0.95, "minimum_trials": 30}


class _Dbt:
    """What dbt gives a Python model, with val_posteriors as `posteriors`."""

    def __init__(self, posteriors):
        self._posteriors = posteriors

    def ref(self, _name):
        return self._posteriors

    @property
    def config(self):
        return _Config()


class _Config:
    def __call__(self, **_settings):
        return None

    def get(self, name):
        return CONFIG[name]


def bounds_of(*parameters):
    """[(lower, upper)] of Betas by their two parameters."""
    path = PROJECT_ROOT / "dbt_project" / "models" / "valuation" / "val_posterior_bounds.py"
    spec = importlib.util.spec_from_file_location("val_posterior_bounds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    session = duckdb.connect()
    session.execute(
        "create table posteriors (macro_conversion varchar, micro_conversion varchar, "
        "intent_class varchar, visitor_type varchar, trials bigint, successes double, "
        "failures double)"
    )
    for number, (successes, failures) in enumerate(parameters):
        row = ["p", str(number), "(all)", "(all)", 60, successes, failures]
        session.execute("insert into posteriors values (?, ?, ?, ?, ?, ?, ?)", row)
    made = module.model(_Dbt(session.table("posteriors")), session)
    return made.select("probability_lower, probability_upper").fetchall()


def test_bounds_are_the_equal_tailed_ones():
    ((lower, upper),) = bounds_of((24, 96))
    assert (lower, upper) == pytest.approx(stats.beta(24, 96).interval(0.95), abs=1e-12)


@pytest.mark.parametrize("small", [1e-3, 0.01, 0.1, 0.5])
def test_an_estimate_lies_between_its_bounds_however_skewed(small):
    (of_few,), (of_many,) = bounds_of((small, 60)), bounds_of((60, small))
    assert of_few[0] <= small / (small + 60) <= of_few[1]
    assert of_many[0] <= 60 / (small + 60) <= of_many[1]


def test_without_a_success_or_a_failure_one_bound_is_the_edge_and_the_other_is_close():
    never, always = bounds_of((0, 69), (70, 0))
    assert never == pytest.approx((0, stats.beta(0.5, 69).ppf(0.975)), abs=1e-12)
    assert always == pytest.approx((stats.beta(70, 0.5).ppf(0.025), 1), abs=1e-12)
    assert never[1] < 0.05
    assert always[0] > 0.95
