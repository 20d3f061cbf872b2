"""Budgets, and the visitors they bring: what happens per day and campaign.

Belongs here: daily spend, the response to it, how many people arrive where, clicks and impressions.
Does not belong here: what a person does after arriving (behaviour.py).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from orchestration.simulation import catalogue as c


@dataclass(frozen=True)
class Traffic:
    """The shop's days: index 0 is `start`; times are microseconds since 1970, UTC.

    spend_ratio: (campaigns, days), spend over the base budget; 1 where no budget is reported.
    response: the same shape, spend_ratio ** elasticity.
    arrival_shares: (days * campaigns), day by day, sums to 1.
    later_shares: (days, campaigns) cumulative, for sessions after a person's first.
    """

    start: date
    days: int
    spend_ratio: np.ndarray
    response: np.ndarray
    arrival_shares: np.ndarray
    later_shares: np.ndarray

    @property
    def start_time(self) -> int:
        return int(datetime.combine(self.start, datetime.min.time(), UTC).timestamp()) * c.SECOND

    @property
    def end_time(self) -> int:
        """First moment after the last day."""
        return self.start_time + self.days * c.DAY

    def day_of(self, time: np.ndarray) -> np.ndarray:
        """Day index of each time, the last day's for later ones."""
        return np.minimum((time - self.start_time) // c.DAY, self.days - 1)


def plan_traffic(start: date, days: int, rng: np.random.Generator) -> Traffic:
    """Budgets that change week by week, and the traffic they are expected to bring."""
    weeks = days // 7 + 1
    spend_sd = np.array([campaign.spend_sd for campaign in c.CAMPAIGNS])
    elasticity = np.array([campaign.elasticity for campaign in c.CAMPAIGNS])
    by_week = rng.standard_normal((len(c.CAMPAIGNS), weeks))
    by_day = rng.standard_normal((len(c.CAMPAIGNS), days)) * c.SPEND_DAILY_SD
    log_spend = np.repeat(by_week, 7, axis=1)[:, :days] * spend_sd[:, None]
    log_spend += np.where(spend_sd[:, None] > 0, by_day, 0)
    log_spend = np.clip(log_spend, -c.SPEND_LOG_LIMIT, c.SPEND_LOG_LIMIT)
    response = np.exp(elasticity[:, None] * log_spend)

    weekdays = [(start + timedelta(days=day)).weekday() for day in range(days)]
    demand = np.array(c.WEEKDAY_WEIGHTS)[weekdays]
    demand = demand * (1 + c.GROWTH * np.arange(days) / days)
    noise = np.exp(rng.standard_normal((days, len(c.CAMPAIGNS))) * c.TRAFFIC_DAILY_SD)
    arrivals = demand[:, None] * response.T * noise
    arrivals = arrivals * np.array([campaign.arrivals for campaign in c.CAMPAIGNS])

    later = response.T * np.array([campaign.returns for campaign in c.CAMPAIGNS])
    later[:, c.DIRECT_CAMPAIGN] = 1 - later.sum(axis=1)
    return Traffic(
        start=start,
        days=days,
        spend_ratio=np.exp(log_spend),
        response=response,
        arrival_shares=(arrivals / arrivals.sum()).ravel(),
        later_shares=np.cumsum(later, axis=1),
    )


def draw_arrivals(traffic: Traffic, people: int, rng: np.random.Generator) -> np.ndarray:
    """How many people have arrived up to each (day, campaign) cell: people are numbered by it."""
    return np.cumsum(rng.multinomial(people, traffic.arrival_shares))


def spend_rows(
    traffic: Traffic, sessions: np.ndarray, people: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Columns of the spend files, day by day.

    sessions: (campaigns, days), sessions that the shop really had. The ad account sees a few
    clicks more, which never reached the page.
    """
    total_arrivals = sum(campaign.arrivals for campaign in c.CAMPAIGNS)
    day, index, clicks, impressions, cost = [], [], [], [], []
    all_days = np.arange(traffic.days)
    for number, campaign in enumerate(c.CAMPAIGNS):
        if campaign.cost_per_click == 0:
            continue
        lost = rng.poisson(sessions[number] * c.LOST_CLICKS)
        base = campaign.cost_per_click * people * campaign.arrivals / total_arrivals / traffic.days
        day.append(all_days)
        index.append(np.full(traffic.days, number))
        clicks.append(sessions[number] + lost)
        impressions.append(clicks[-1] + rng.poisson((clicks[-1] + 1) / campaign.click_rate))
        cost.append(np.round(base * traffic.spend_ratio[number], 2))
    untracked = rng.poisson(6, traffic.days)
    day.append(all_days)
    index.append(np.full(traffic.days, len(c.CAMPAIGNS)))
    clicks.append(untracked)
    impressions.append(untracked * 60 + 400)
    cost.append(np.full(traffic.days, c.UNTRACKED_SPEND[3]))
    columns = {
        "day": np.concatenate(day),
        "campaign": np.concatenate(index),
        "impressions": np.concatenate(impressions),
        "clicks": np.concatenate(clicks),
        "cost": np.concatenate(cost),
    }
    order = np.lexsort((columns["campaign"], columns["day"]))
    return {name: values[order] for name, values in columns.items()}
