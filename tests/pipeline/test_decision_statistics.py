"""The decision marts against days whose truth is known: drops, quiet weeks, elasticities."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pipeline.decision_worlds import MONDAY, CampaignTruth, Model, campaign_weeks, micro_rates
from pipeline.valued_home import ValuedHome

QUARTER = 91
# a micro-conversion with at least 200 daily sessions: (sessions of the channel, rate)
BUSY = [(400, 0.55), (2000, 0.1), (10_000, 0.3)]
# the simulated shop's campaigns, the third with a constant budget
SHOP = [
    CampaignTruth(0.25, 0.35),
    CampaignTruth(0.7, 0.45),
    CampaignTruth(0.6, 0.0),
    CampaignTruth(0.55, 0.5),
    CampaignTruth(0.85, 0.5),
    CampaignTruth(0.4, 0.4),
]


@pytest.fixture(scope="module")
def compiled(valued: ValuedHome) -> Path:
    return valued.home.path / "dbt" / "nightly" / "compiled" / "intent_map" / "models"


@pytest.fixture(scope="module")
def early_warnings(compiled: Path) -> Model:
    return Model.of(compiled, "marts/mart_early_warnings.sql")


@pytest.fixture(scope="module")
def campaign_returns(compiled: Path) -> Model:
    return Model.of(compiled, "marts/mart_campaign_returns.sql")


def warned(model: Model, connection) -> list[tuple[int, str, str]]:
    """(day, channel, warning) of each warning."""
    rows = model.rows(connection, "date, channel_group, warning from {model} where warning <> ''")
    return [((day - MONDAY).days, channel, warning) for day, channel, warning in rows]


def detected(model: Model, seed: int, sessions: float, rate: float) -> bool:
    """A drop of 30 % on day 120 is flagged on that day or the next."""
    changed = range(120, 126)
    world = micro_rates(
        seed, sessions=sessions, rate=rate, days=123, channels=2, changed_days=changed, factor=0.7
    )
    return any(
        channel == "channel 0" and warning == "dropped" and day in (120, 121)
        for day, channel, warning in warned(model, world)
    )


def false_warnings(model: Model, seed: int, sessions: float, rate: float) -> int:
    """In the last quarter of 180 quiet days with weekdays and growth, over six channels."""
    world = micro_rates(seed, sessions=sessions, rate=rate, days=180)
    return sum(
        day >= 180 - QUARTER and channel != "(all)" for day, channel, _ in warned(model, world)
    )


def covered(model: Model, seed: int, noise: float) -> list[bool]:
    """For each campaign shown: is its elasticity inside the bounds? None with constant spend is."""
    world = campaign_weeks(seed, SHOP, noise=noise)
    rows = model.rows(
        world,
        "campaign, marginal_roas_status, elasticity_lower, elasticity_upper from {model} "
        f"where week = date '{MONDAY + timedelta(7 * 39)}'",
    )
    inside = []
    for campaign, status, lower, upper in rows:
        truth = SHOP[int(campaign[1:])]
        if truth.spend_sd == 0:
            assert status == "insufficient_variation"
        else:
            assert status == "estimated"
            inside.append(lower <= truth.elasticity <= upper)
    assert len(inside) == len(SHOP) - 1
    return inside


def test_a_drop_of_30_percent_is_flagged_within_two_days(early_warnings):
    assert all(detected(early_warnings, seed, 2000, 0.12) for seed in range(3))


def test_quiet_weeks_with_weekdays_and_growth_stay_quiet(early_warnings):
    assert sum(false_warnings(early_warnings, seed, 2000, 0.1) for seed in range(2)) <= 2 * 6


def test_a_tag_that_stops_is_seen_the_same_night_and_its_days_do_not_become_the_norm(
    early_warnings,
):
    changed = range(100, 114)
    world = micro_rates(
        5, sessions=500, rate=0.1, days=120, channels=2, changed_days=changed, factor=0.0
    )
    mine = {day: w for day, channel, w in warned(early_warnings, world) if channel == "channel 0"}
    assert all(mine.get(day) == "stopped" for day in changed)
    # when it is back, neither its return nor the days after it are a warning
    assert not set(mine) & set(range(115, 120))


def test_a_tag_that_fires_twice_is_a_warning_the_same_night(early_warnings):
    world = micro_rates(
        6, sessions=500, rate=0.2, days=101, channels=2, changed_days=range(100, 101), firings=2.0
    )
    assert (100, "channel 0", "fires_more_often") in warned(early_warnings, world)


def test_money_at_risk_is_what_is_missing_times_the_value(early_warnings):
    world = micro_rates(
        8, sessions=2000, rate=0.1, days=101, channels=1, changed_days=range(100, 101), factor=0.5
    )
    ((sessions, conversions, rate, money),) = early_warnings.rows(
        world,
        "sessions, conversions, expected_rate, money_at_risk from {model} "
        f"where date = date '{MONDAY + timedelta(100)}' and channel_group = 'channel 0'",
    )
    # the micro-conversion is worth 5; rates are shown with six digits
    assert float(money) == pytest.approx(
        5 * (rate * sessions - conversions), abs=5 * 1e-6 * sessions
    )
    assert money > 100


def test_days_on_which_a_tag_fired_for_everybody_do_not_become_the_norm(early_warnings):
    def expected(changed: range) -> float:
        world = micro_rates(
            9, sessions=2000, rate=0.1, days=120, channels=1, changed_days=changed, factor=3.0
        )
        ((rate,),) = early_warnings.rows(
            world,
            "expected_rate from {model} "
            f"where date = date '{MONDAY + timedelta(119)}' and channel_group = 'channel 0'",
        )
        return rate

    assert expected(range(98, 112)) == pytest.approx(expected(range(0)), rel=0.05)


def test_half_the_traffic_is_no_stable_traffic(early_warnings):
    world = micro_rates(7, sessions=500, rate=0.2, days=101, channels=1)
    world.execute(
        "update intermediate.int_daily_micro_rates set sessions = 200, conversions = 0, "
        f"occurrences = 0 where date = date '{MONDAY + timedelta(100)}'"
    )
    rows = early_warnings.rows(
        world,
        "traffic_is_stable, warning from {model} "
        f"where date = date '{MONDAY + timedelta(100)}' and channel_group = 'channel 0'",
    )
    assert rows == [(False, None)]


def test_elasticities_are_bounded_and_not_shown_for_constant_spend(campaign_returns):
    inside = covered(campaign_returns, 1, 0.25) + covered(campaign_returns, 2, 0.25)
    assert sum(inside) >= 7


def test_a_campaign_alone_has_the_slope_and_the_bounds_of_a_regression_without_sql(
    campaign_returns,
):
    """Of log value on log cost, a trend and a level for each version, over the last 26 weeks."""
    for seed in range(3):
        world = campaign_weeks(seed, [CampaignTruth(0.6, 0.4)])
        drawn = world.execute(
            "select cast(cost as double), cast(value as double), value_version from drawn "
            "order by date"
        ).fetchall()[-26:]
        cost, value = (np.log([row[place] for row in drawn]) for place in (0, 1))
        levels = [[version == of for _, _, version in drawn] for of in ("v1", "v2")]
        given = np.column_stack([cost, np.arange(26.0), *np.array(levels, dtype=float)])
        fitted, squares, *_ = np.linalg.lstsq(given, value, rcond=None)
        error = np.sqrt(squares[0] / (26 - 4) * np.linalg.inv(given.T @ given)[0, 0])
        # Student's t with 22 degrees of freedom, 5 % above it
        half_width = 1.7171 * error
        shown = campaign_returns.rows(
            world,
            "elasticity, elasticity_lower, elasticity_upper from {model} "
            "where marginal_roas_status = 'estimated' order by week desc limit 1",
        )
        wanted = (fitted[0], fitted[0] - half_width, fitted[0] + half_width)
        assert shown[0] == pytest.approx(wanted, rel=2e-3)


def test_weeks_before_the_first_version_teach_no_slope(campaign_returns):
    world = campaign_weeks(1, [CampaignTruth(0.6, 0.4), CampaignTruth(0.8, 0.4)])
    elasticities = (
        "week, campaign, elasticity from {model} "
        f"where week = date '{MONDAY + timedelta(7 * 39)}' order by campaign"
    )
    world.execute("create table marts.all_days as select * from marts.mart_daily_values")
    world.execute("delete from marts.mart_daily_values where value_version = 'v1'")
    alone = campaign_returns.rows(world, elasticities)
    world.execute(
        "insert into marts.mart_daily_values select * replace ('(prior)' as value_version, "
        "8 * cost * cost as expected_revenue) from marts.all_days where value_version = 'v1'"
    )
    assert campaign_returns.rows(world, elasticities) == alone
    assert None not in [elasticity for _, _, elasticity in alone]
    said = campaign_returns.rows(
        world,
        "marginal_roas_status, recommendation, count(*) from {model} "
        f"where week < date '{MONDAY + timedelta(7 * 24)}' group by all",
    )
    assert said == [("no_version", "wait", 2 * 24)]


def test_a_recommendation_says_what_the_bounds_allow(campaign_returns):
    said = {"raise": 0, "hold": 0, "lower": 0}
    for seed in range(4):
        world = campaign_weeks(seed, SHOP)
        rows = campaign_returns.rows(
            world,
            "recommendation, marginal_roas_lower, marginal_roas_upper from {model} "
            "where marginal_roas_status = 'estimated'",
        )
        for recommendation, lower, upper in rows:
            wanted = "raise" if lower >= 1 else "lower" if upper < 1 else "hold"
            assert recommendation == wanted
            said[wanted] += 1
    assert min(said.values()) >= 5


@pytest.mark.deep
@pytest.mark.parametrize(("sessions", "rate"), BUSY)
def test_95_of_100_drops_are_flagged_within_two_days(early_warnings, sessions, rate):
    hits = [detected(early_warnings, 1000 + seed, sessions, rate) for seed in range(100)]
    assert np.mean(hits) >= 0.95


@pytest.mark.deep
@pytest.mark.parametrize(("sessions", "rate"), [*BUSY, (200, 0.15), (1000, 0.02)])
def test_at_most_one_false_warning_in_a_quarter_on_average(early_warnings, sessions, rate):
    counts = [false_warnings(early_warnings, 2000 + seed, sessions, rate) for seed in range(40)]
    assert np.mean(counts) / 6 <= 1


@pytest.mark.deep
@pytest.mark.parametrize("noise", [0.1, 0.25, 0.5])
def test_bounds_hold_the_elasticity_in_85_to_95_of_100_campaigns(campaign_returns, noise):
    inside = [hit for seed in range(150) for hit in covered(campaign_returns, 3000 + seed, noise)]
    assert 0.85 <= np.mean(inside) <= 0.95
