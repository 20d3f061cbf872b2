"""One value version against a reckoning without SQL (reckoning.py), to the last digit."""

import dataclasses
import math
from decimal import Decimal

import pytest
from pipeline.reckoning import (
    ALL,
    Probability,
    Rule,
    Segment,
    Shop,
    groups_of,
    mean_with_bounds,
)
from pipeline.valued_home import VERSION, VERSION_DATE, VERSION_MOMENT, ValuedHome
from scipy import stats

from orchestration import dbt_runner
from orchestration.policy import effective_vars

NEAR = 1e-9


@pytest.fixture(scope="module")
def shop(valued: ValuedHome) -> Shop:
    home = valued.home
    sessions = home.query(
        "select session_key, visitor_key, started_at, sourced_at, session_date, visitor_type, "
        "intent_class "
        "from intermediate.int_sessions "
        "join intermediate.int_traffic_sources using (source, medium, campaign)"
    )
    rules = home.query(
        "select * from intermediate.int_conversion_rules where conversion_type = 'micro'"
    )
    (goal,) = home.query(
        "select * from intermediate.int_conversion_rules where conversion_type = 'macro'"
    )
    # the version knew the amounts of its day, the floors below know those of today
    amounts = {row["order_id"]: Decimal(row["value"]) for row in valued.orders}
    macros = [
        {**row, "value": amounts.get(row["order_id"], row["value"])}
        for row in home.query("select * from intermediate.int_macro_conversions")
    ]
    return Shop(
        moment=VERSION_MOMENT,
        policy=effective_vars(home.settings),
        default_value=float(goal["default_value"]),
        rules={
            row["conversion"]: Rule(row["conversion"], row["tier"], row["tier_rank"], row["weight"])
            for row in rules
        },
        sessions={row["session_key"]: row for row in sessions},
        micros=home.query("select * from intermediate.int_micro_conversions"),
        macros=macros,
        logins=home.query("select * from intermediate.int_logins"),
    )


def test_the_amounts_of_orders_were_restated_behind_the_version(
    valued: ValuedHome, shop: Shop
) -> None:
    today = valued.home.query("select order_id, value from intermediate.int_macro_conversions")
    then = {row["order_id"]: row["value"] for row in shop.macros}
    assert sum(then[row["order_id"]] != row["value"] for row in today if row["order_id"]) > 30


def log_ratio(row: Probability) -> tuple[float, float]:
    """Of the rates with and without, half a success added to each, and its error."""
    x1, n1 = row.conversions + 0.5, row.matured + 1
    x0, n0 = row.conversions_without + 0.5, row.matured_without + 1
    variance = row.design_effect * (1 / x1 - 1 / n1) + row.base_design_effect * (1 / x0 - 1 / n0)
    return math.log(x1 / n1 / (x0 / n0)), math.sqrt(variance)


def lift_bounds(row: Probability, level: float) -> tuple[float, float]:
    ratio, error = log_ratio(row)
    share = row.matured / (row.matured + row.matured_without)
    z = stats.norm.isf((1 - level) / 2)
    ratios = [math.exp(ratio + sign * z * error) for sign in (-1, 1)]
    # against all instead of against those without
    low, high = (ratio / (share * ratio + 1 - share) for ratio in ratios)
    return low, high


def verdict(shop: Shop, name: str, segment: Segment) -> str:
    """Of a segment: what all do not show must stand out of all groups that are looked at."""
    row, least = shop.probabilities[name, segment], shop.policy["minimum_trials"]
    if row.trials < least:
        return "too_few"
    tail = (1 - shop.policy["interval_level"]) / 2
    judged = sum(
        of == name and group != ALL and other.trials >= least
        for (of, group), other in shop.probabilities.items()
    )
    low, high = lift_bounds(shop.probabilities[name, ALL], shop.policy["interval_level"])
    alone, among_all = stats.norm.isf(tail), stats.norm.isf(tail / max(judged, 1))
    ratio, error = log_ratio(row)
    # x/n against x0/n0 without a division, so that nobody without is no difference
    raw_sign = row.conversions * row.matured_without - row.conversions_without * row.matured
    if ratio > error * (alone if low > 1 or segment == ALL else among_all) and raw_sign > 0:
        return "predictive"
    if -ratio > error * (alone if high < 1 or segment == ALL else among_all) and raw_sign < 0:
        return "misleading"
    return "unclear"


def by_segment(rows: list[dict]) -> dict[tuple[str, Segment], dict]:
    return {
        (row["micro_conversion"], (row["intent_class"], row["visitor_type"])): row for row in rows
    }


def test_the_shop_is_rich_enough_to_prove_something(shop: Shop) -> None:
    verdicts = {verdict(shop, *key) for key in shop.probabilities}
    assert any(row.design_effect > 1.01 for row in shop.probabilities.values())
    assert any(row.base_design_effect > 1.01 for row in shop.probabilities.values())
    assert verdicts >= {"predictive", "unclear", "too_few"}
    assert {segment for _, segment in shop.probabilities} >= {ALL, ("brand", "returning")}
    young = [t for trials in shop.trials.values() for t in trials if t.age < 30 * 24]
    assert any(t.is_success for t in young)
    assert any(not t.is_success for t in young)
    later = [row for row in shop.logins if row["occurred_at"] >= VERSION_MOMENT]
    assert {row["visitor_key"] for row in later} - shop.users.keys()
    assert any(
        steps[0].occurred_at < VERSION_MOMENT <= steps[-1].occurred_at
        for steps in shop.steps.values()
    )
    assert any(shop.segment_then(key) != shop.segment_of(key) for key in shop.sessions)


def test_every_probability_is_the_one_reckoned_without_sql(valued: ValuedHome, shop: Shop) -> None:
    rows = by_segment(valued.home.query("select * from marts.mart_conversion_probabilities"))
    assert rows.keys() == shop.probabilities.keys()
    tail = (1 - shop.policy["interval_level"]) / 2
    for key, own in shop.probabilities.items():
        row = rows[key]
        raw = own.conversions / own.matured if own.matured else None
        base = own.base_conversions / own.base_matured if own.base_matured else None
        lift = raw / base if base and raw is not None else None
        low, high = None, None
        if own.trials and own.matured_without:
            # behind the verdict the bounds are widened to hold the point
            bounds = lift_bounds(own, shop.policy["interval_level"])
            told = [*bounds, bounds[0] if lift is None else lift]
            low, high = min(told), max(told)
        expected = {
            "trials": own.trials,
            "mature_trials": own.mature_trials,
            "conversions": own.conversions,
            "raw_probability": raw,
            "probability": own.probability,
            "base_probability": base,
            "probability_without": (
                own.conversions_without / own.matured_without if own.matured_without else None
            ),
            "lift": lift,
            "lift_lower": low,
            "lift_upper": high,
        }
        for column, value in expected.items():
            near = None if value is None else pytest.approx(value, rel=NEAR, abs=NEAR)
            assert row[column] == near, (key, column)
        assert row["verdict"] == verdict(shop, *key), key
        posterior = stats.beta(own.successes, own.failures)
        assert posterior.cdf(row["probability_lower"]) == pytest.approx(tail, abs=NEAR), key
        assert posterior.sf(row["probability_upper"]) == pytest.approx(tail, abs=NEAR), key


def guarded_values(shop: Shop) -> dict[tuple[str, Segment], tuple[float, str]]:
    """Value and the rule that set it, in a first version: the tiers from the top, per segment."""
    guarded: dict[tuple[str, Segment], tuple[float, str]] = {}
    for segment in {segment for _, segment in shop.probabilities}:
        average = shop.average_macro_values[segment]
        # what has trials enough is measured by such alone
        ceilings = {True: math.inf, False: math.inf}
        for rank in (3, 2, 1):
            values: list[tuple[bool, float]] = []
            for name, rule in shop.rules.items():
                if rule.rank != rank or (name, segment) not in shop.probabilities:
                    continue
                worth = shop.probabilities[name, segment].probability * average
                cap = shop.policy[f"cap_{rule.tier}"] * average
                here, anywhere = verdict(shop, name, segment), verdict(shop, name, ALL)
                if here == "misleading" or (
                    here in ("unclear", "too_few") and anywhere in ("unclear", "misleading")
                ):
                    guarded[name, segment] = 0.0, "not_predictive"
                    continue
                ceiling = ceilings[here == "too_few"]
                values.append((here == "too_few", min(worth, cap, ceiling)))
                if ceiling < min(worth, cap):
                    rail = "ladder"
                elif cap < worth:
                    rail = "tier_cap"
                else:
                    rail = "minimum_trials" if here == "too_few" else "none"
                guarded[name, segment] = values[-1][1], rail
            ceilings = {
                too_few: min([least, *(value for few, value in values if too_few or not few)])
                for too_few, least in ceilings.items()
            }
    return guarded


def test_every_value_and_its_guardrail_is_the_one_reckoned_without_sql(
    valued: ValuedHome, shop: Shop
) -> None:
    rows = by_segment(
        valued.home.query(
            f"select * from marts.mart_micro_values where value_version = '{VERSION}'"
        )
    )
    assert rows.keys() == shop.probabilities.keys()
    guarded = guarded_values(shop)
    for (name, segment), own in shop.probabilities.items():
        rule, average = shop.rules[name], shop.average_macro_values[segment]
        worth = own.probability * average
        value, guardrail = guarded[name, segment]
        row = rows[name, segment]
        assert row["probability"] == pytest.approx(own.probability, rel=NEAR)
        assert row["tier_weight"] == rule.weight
        told = {
            "average_macro_value": average,
            "weighted_value": rule.weight * average,
            "probability_value": worth,
            "incremental_value": shop.increments.get((name, segment), 0.0),
            "value": value,
        }
        for column, amount in told.items():
            # to the last digit; a mean of decimals may lie in the middle between two of them
            assert float(row[column]) == pytest.approx(amount, abs=0.00005 + NEAR), (
                name,
                segment,
                column,
            )
        assert row["guardrail"] == guardrail, (name, segment)
        assert row["valid_from"] == VERSION_DATE


def check_customers(rows: list[dict], shop: Shop) -> None:
    told = by_segment(rows)
    assert told.keys() == shop.probabilities.keys()
    z = float(stats.norm.isf((1 - shop.policy["interval_level"]) / 2))
    for key, row in told.items():
        own = shop.customers[key]
        users = len(own.lifetimes)
        lifetime = [amount for _, amount in own.lifetimes]
        assert row["baskets"] == len(own.baskets), key
        assert row["lifetime_users"] == users, key
        assert row["lifetime_orders"] == sum(orders for orders, _ in own.lifetimes), key
        few = users < shop.policy["minimum_trials"]
        maturity = ("too_few" if few else "mature") if users else "immature"
        assert row["lifetime_maturity"] == maturity, key
        for what, amounts in (("basket", own.baskets), ("lifetime", lifetime)):
            for end, amount in zip(
                ("", "_lower", "_upper"), mean_with_bounds(amounts, z), strict=True
            ):
                said = row[f"{what}_value{end}"]
                assert (said is None) == (amount is None), (key, what, end)
                if amount is not None:
                    assert float(said) == pytest.approx(amount, abs=0.00005 + NEAR), (
                        key,
                        what,
                        end,
                    )


def test_every_basket_of_a_young_shop_is_the_one_reckoned_and_nobody_had_a_lifetime(
    valued: ValuedHome, shop: Shop
) -> None:
    rows = valued.home.query("select * from marts.mart_micro_customer_values")
    check_customers(rows, shop)
    assert {row["lifetime_maturity"] for row in rows} == {"immature"}
    cut = shop.cut_values.values()
    assert sum(value == max(cut) for value in cut) > 1
    assert sum(row["baskets"] for row in rows) > 500


@pytest.mark.deep
def test_every_lifetime_of_forty_days_is_the_one_reckoned_without_sql(
    valued: ValuedHome, shop: Shop
) -> None:
    lifetime = {"lifetime_days": 40}
    copy = valued.home.copy("lifetimes")
    home = dataclasses.replace(copy, settings=dataclasses.replace(copy.settings, dbt_vars=lifetime))
    home.build(dbt_runner.quarterly_args(home.settings, VERSION_DATE, ["val_customer_values"]))
    rows = home.query("select * from valuation.val_customer_values")
    check_customers(rows, dataclasses.replace(shop, policy={**shop.policy, **lifetime}))
    assert {row["lifetime_maturity"] for row in rows} >= {"mature", "too_few"}
    assert any(0 < row["lifetime_orders"] < row["lifetime_users"] for row in rows)


def test_every_state_is_worth_what_is_reckoned_without_sql(valued: ValuedHome, shop: Shop) -> None:
    keys = {
        row["conversion"]: row["state_item_key"]
        for row in valued.home.query(
            "select * from intermediate.int_conversion_rules "
            "where conversion_type in ('micro', 'macro')"
        )
    }
    keys["(macro)"] = keys.pop("purchase")
    rows = {
        ((row["intent_class"], row["visitor_type"]), row["level"], row["state_key"]): (
            row["passed_value"],
            row["ended_value"],
        )
        for row in valued.home.query("select * from valuation.val_version_states")
    }
    expected = {}
    for (segment, state), values in shop.state_values.items():
        if isinstance(state, int):
            expected[segment, "tier", state] = values
        elif isinstance(state, tuple):
            rank, weight = state
            expected[segment, "weight", round((10 * rank + weight) * 1_000_000)] = values
        else:
            expected[segment, "state", sum(keys[item] for item in state)] = values
    assert len(expected) == len(shop.state_values)
    assert {key: rows[key] for key in expected} == expected
    # what is left are tiers of segments without a single session
    assert {level for _, level, _ in rows.keys() - expected.keys()} <= {"tier", "weight"}


def test_every_session_books_what_is_reckoned_without_sql(valued: ValuedHome, shop: Shop) -> None:
    rows = valued.home.query("select * from valuation.val_session_values")
    booked = {
        row["session_key"]: (
            row["baseline_value"],
            row["incremental_value"],
            row["closing_value"],
        )
        for row in rows
    }
    assert booked == {session: shop.booked(session) for session in shop.sessions}
    # the parts sum to what the last state is worth, to the last digit
    for session, steps in shop.steps.items():
        if shop.sessions[session]["started_at"] >= VERSION_MOMENT:
            ended = shop.value_of(shop.segment_of(session), steps[-1])[1]
            assert sum(booked[session]) == ended


def test_a_days_expected_revenue_is_the_sum_over_its_sessions(
    valued: ValuedHome, shop: Shop
) -> None:
    expected: dict[tuple, list[Decimal]] = {}
    for session, row in shop.sessions.items():
        key = row["session_date"], *groups_of(shop.segment_of(session))[2]
        parts = expected.setdefault(key, [Decimal(0)] * 4)
        booked = shop.booked(session)
        expected[key] = [a + b for a, b in zip(parts, (*booked, sum(booked)), strict=True)]
    rows = valued.home.query(
        "select date, intent_class, visitor_type, sum(baseline_value) as baseline, "
        "sum(incremental_value) as increments, sum(closing_value) as closing, "
        "sum(expected_revenue) as expected from marts.mart_daily_values group by all"
    )
    assert {
        (row["date"], row["intent_class"], row["visitor_type"]): [
            row["baseline"],
            row["increments"],
            row["closing"],
            row["expected"],
        ]
        for row in rows
    } == expected
