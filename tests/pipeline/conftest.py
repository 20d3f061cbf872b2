"""Fixtures of this folder only."""

import pytest
from pipeline.generated import as_history
from pipeline.histories import hard_history
from pipeline.homes import Workshop
from pipeline.promise_checks import Done, run
from pipeline.shared_nights import Setting
from pipeline.valued_home import ValuedHome, build_valued_home

GENERATED = 200
SETTING = Setting(
    "clocks of New York, visits of an hour at most, two nights killed",
    {"reporting_time_zone": "America/New_York", "session_maximum_hours": 1},
    # the night behind the first one finds what was left, the other one is run again
    killed={2: (24,), 3: (40,)},
    abandoned={2},
)


@pytest.fixture(scope="session")
def promise(workshop: Workshop) -> Done:
    """The hard history and generated ones behind their nights; who changes a home takes a copy."""
    return run(workshop, SETTING, GENERATED, seed=1, as_it_is=as_history(hard_history()))


@pytest.fixture(scope="session")
def valued(workshop: Workshop) -> ValuedHome:
    """One valued home for all tests that read it; who changes it takes a copy."""
    return build_valued_home(workshop)
