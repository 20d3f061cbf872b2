"""Days with a known truth, and the decision marts' own SQL run over them.

Belongs here: drawing the tables that the marts read, and running a compiled model in a database of
its own. Does not belong here: what must come out (test_decision_statistics.py).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

MONDAY = date(2026, 1, 5)
# evenings and weekends are for shopping
WEEKDAYS = np.array((1.0, 0.97, 0.96, 0.99, 1.03, 1.12, 1.18))


@dataclass(frozen=True)
class Model:
    """One model's compiled SQL."""

    sql: str

    @classmethod
    def of(cls, compiled: Path, place: str) -> "Model":
        return cls((compiled / place).read_text(encoding="utf-8").replace('"intent_map".', ""))

    def rows(self, connection: duckdb.DuckDBPyConnection, where: str) -> list[tuple[Any, ...]]:
        return connection.execute(f"select {where.format(model=f'({self.sql})')}").fetchall()


def _database(*schemas: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for schema in schemas:
        connection.execute(f"create schema {schema}")
    return connection


def micro_rates(
    seed: int,
    *,
    sessions: float,
    rate: float,
    days: int,
    channels: int = 6,
    overdispersion: float = 0.03,
    traffic_growth: float = 0.3,
    rate_growth: float = 0.1,
    changed_days: range = range(0),
    factor: float = 1.0,
    firings: float = 1.0,
) -> duckdb.DuckDBPyConnection:
    """A micro-conversion in several channels, day by day; in the first channel its rate, and how
    often it fires, is multiplied on changed_days. Traffic and rate have weekdays and grow."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    rows = []
    for channel in range(channels):
        mean = sessions * WEEKDAYS[day % 7] * (1 + traffic_growth * day / days)
        came = rng.poisson(mean * np.exp(rng.standard_normal(days) * 0.05))
        share = rate * (1 + 0.1 * np.sin(2 * np.pi * (day % 7) / 7))
        share = share * (1 + rate_growth * day / days)
        share = share * np.exp(rng.standard_normal(days) * overdispersion)
        is_changed = np.isin(day, changed_days) & (channel == 0)
        met = rng.binomial(came, np.clip(np.where(is_changed, share * factor, share), 0, 1))
        fired = met + rng.poisson(met * 0.8)
        fired = np.where(is_changed, np.round(fired * firings), fired).astype(int)
        rows += [
            (MONDAY + timedelta(int(d)), f"channel {channel}", "cart", int(n), int(x), int(o))
            for d, n, x, o in zip(day, came, met, fired, strict=True)
        ]
    connection = _database("intermediate", "valuation")
    connection.execute(
        "create table intermediate.int_daily_micro_rates (date date, channel_group varchar, "
        "micro_conversion varchar, sessions bigint, conversions bigint, occurrences bigint)"
    )
    connection.execute("begin")
    connection.executemany(
        "insert into intermediate.int_daily_micro_rates values (?, ?, ?, ?, ?, ?)", rows
    )
    connection.execute("commit")
    connection.execute(
        "create table valuation.val_values_in_force as select 'cart' as micro_conversion, "
        "date '0001-01-01' as valid_from, date '9999-12-31' as valid_to, '(all)' as intent_class, "
        "'(all)' as visitor_type, cast(5 as decimal(18, 4)) as value"
    )
    connection.execute(
        "create table intermediate.int_event_counts as "
        f"select date '{MONDAY + timedelta(days)}' as landed_date"
    )
    return connection


@dataclass(frozen=True)
class CampaignTruth:
    """elasticity: of value by cost. spend_sd: of the weekly log budget, 0 for a constant one."""

    elasticity: float
    spend_sd: float


def campaign_weeks(
    seed: int, campaigns: list[CampaignTruth], *, weeks: int = 40, noise: float = 0.25
) -> duckdb.DuckDBPyConnection:
    """Daily values of campaigns c0, c1, … whose value answers to cost with their elasticity, grows,
    and is scaled anew by a second value version on the way."""
    rng = np.random.default_rng(seed)
    second_version = int(weeks * 0.6)
    rows = []
    for number, campaign in enumerate(campaigns):
        log_spend = np.clip(rng.standard_normal(weeks) * campaign.spend_sd, -1.05, 1.05)
        base, roas = rng.uniform(20, 200), rng.uniform(0.5, 5)
        luck = np.exp(rng.standard_normal(weeks) * noise - noise**2 / 2)
        for week in range(weeks):
            # one row a week stands for its seven days
            cost = base * np.exp(log_spend[week])
            value = base * roas * np.exp(campaign.elasticity * log_spend[week])
            value *= (1 + 0.15 * week / weeks) * luck[week]
            version = "v1" if week < second_version else "v2"
            value *= 1 if version == "v1" else 1.5
            day = MONDAY + timedelta(7 * week + 6)
            rows.append((day, f"c{number}", round(float(cost), 4), round(float(value), 4), version))
    connection = _database("intermediate", "marts", "seeds")
    connection.execute(
        "create table intermediate.int_event_counts as "
        f"select date '{MONDAY + timedelta(7 * weeks)}' as landed_date"
    )
    connection.execute(
        "create table seeds.campaign_settings (campaign varchar, bids_on varchar, "
        "target_roas double)"
    )
    connection.execute(
        "create table drawn (date date, campaign varchar, cost decimal(18, 4), "
        "value decimal(18, 4), value_version varchar)"
    )
    connection.execute("begin")
    connection.executemany("insert into drawn values (?, ?, ?, ?, ?)", rows)
    connection.execute("commit")
    connection.execute(
        "create table marts.mart_daily_values as select date, campaign, cost, 0 as clicks, "
        "0 as sessions, 10 as hard_conversions, 1 as macro_conversions, "
        "cast(0 as decimal(18, 4)) as revenue, cast(0 as decimal(18, 4)) as attributed_revenue, "
        "value as expected_revenue, value_version from drawn"
    )
    # the day that says that the last week is over
    connection.execute(
        "insert into marts.mart_daily_values (date, campaign, sessions, cost, expected_revenue, "
        f"value_version) values (date '{MONDAY + timedelta(7 * weeks)}', '(none)', 1, 0, 0, 'v2')"
    )
    return connection
