"""The promise over more than five thousand generated histories, under several policies."""

import pytest
from pipeline.homes import Workshop
from pipeline.promise_checks import (
    Done,
    a_full_refresh_leaves_the_same,
    one_load_leaves_the_same,
    orders_count_once,
    people_are_those_of_their_last_login,
    run,
    sessions_are_exact,
)
from pipeline.shared_nights import Setting

pytestmark = pytest.mark.deep

SETTINGS = (
    Setting("as shipped"),
    Setting(
        "clocks of Berlin, visits of an hour at most, killed",
        {"reporting_time_zone": "Europe/Berlin", "session_maximum_hours": 1},
        killed={0: (15,), 1: (5, 30), 2: (20, 45), 3: (35,)},
        abandoned={1},
    ),
    Setting(
        "clocks of New York, the longest timeout, killed",
        {
            "reporting_time_zone": "America/New_York",
            "session_timeout_minutes": 475,
            "attribution_look_back_days": 365,
        },
        killed={1: (50,), 2: (12, 28), 3: (3, 18, 38, 55)},
        abandoned={2},
    ),
    Setting(
        "a timeout of one minute, one session at a time",
        {
            "session_timeout_minutes": 1,
            "conversion_scope": "session",
            "trial_unit": "user",
            "look_back_days": 1095,
            "horizon_days": 0,
        },
    ),
    Setting(
        "half hours of Lord Howe, direct visits look back",
        {"reporting_time_zone": "Australia/Lord_Howe", "direct_source_look_back_days": 30},
    ),
)
# cut in ways that are not reckoned without SQL: nights must equal a full refresh and one load
OTHER_CUTS = (
    Setting(
        "visits are cut at another campaign",
        {"session_cut_at_campaign": True, "direct_source_look_back_days": 30},
        killed={1: (25,), 3: (10, 40)},
    ),
    Setting("visits are those of the source", {"session_id_source": "source"}, killed={2: (30,)}),
)
HISTORIES_OF_A_SETTING = 1_050


@pytest.fixture(scope="module", params=SETTINGS, ids=[setting.name for setting in SETTINGS])
def done(workshop: Workshop, request: pytest.FixtureRequest) -> Done:
    setting: Setting = request.param
    return run(workshop, setting, HISTORIES_OF_A_SETTING, seed=100 + SETTINGS.index(setting))


def test_more_than_five_thousand_histories_leave_what_a_full_refresh_leaves(done: Done) -> None:
    assert len(SETTINGS) * HISTORIES_OF_A_SETTING > 5_000
    assert len(done.shared.batch) >= HISTORIES_OF_A_SETTING
    a_full_refresh_leaves_the_same(done)


def test_more_than_five_thousand_histories_are_as_reckoned_without_sql(done: Done) -> None:
    sessions_are_exact(done)
    orders_count_once(done)
    people_are_those_of_their_last_login(done)


def test_more_than_five_thousand_histories_in_one_load_leave_the_same(done: Done) -> None:
    one_load_leaves_the_same(done)


@pytest.fixture(scope="module", params=OTHER_CUTS, ids=[setting.name for setting in OTHER_CUTS])
def done_otherwise(workshop: Workshop, request: pytest.FixtureRequest) -> Done:
    setting: Setting = request.param
    return run(workshop, setting, HISTORIES_OF_A_SETTING, seed=200 + OTHER_CUTS.index(setting))


def test_histories_with_visits_cut_otherwise_leave_what_a_full_refresh_leaves(
    done_otherwise: Done,
) -> None:
    a_full_refresh_leaves_the_same(done_otherwise)


def test_histories_with_visits_cut_otherwise_in_one_load_leave_the_same(
    done_otherwise: Done,
) -> None:
    one_load_leaves_the_same(done_otherwise)
