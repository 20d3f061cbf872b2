"""People and their sessions: who comes back, what each session reaches, which one ends in an order.

Belongs here: the model of behaviour, up to the state of a session (its set of micro-conversions).
Does not belong here: single events and their clock (events.py), budgets (traffic.py), faults of
tracking (dirt.py).
"""

from dataclasses import dataclass, fields

import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation.traffic import Traffic


@dataclass
class Sessions:
    """One entry per session, ordered by person and start; all arrays have one length.

    person: number of the person. device_slot: 0 or 1; person and slot are the visitor. number: the
    visitor's session number, from 1. start: microseconds UTC. state: bit i is micro-conversion i,
    had before any purchase. buys: an order is placed in this session. order_value: USD, NaN without
    an order. login_from: events of the session from this position on carry the user id.
    """

    person: np.ndarray
    device_slot: np.ndarray
    number: np.ndarray
    campaign: np.ndarray
    first_campaign: np.ndarray
    segment: np.ndarray
    start: np.ndarray
    state: np.ndarray
    buys: np.ndarray
    order_value: np.ndarray
    is_ga4: np.ndarray
    is_refused: np.ndarray
    login_from: np.ndarray
    device: np.ndarray
    country: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    @property
    def visitor(self) -> np.ndarray:
        return self.person * 2 + self.device_slot

    def take(self, index: np.ndarray) -> "Sessions":
        return Sessions(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


NEVER = 2**30


def has(state: np.ndarray, micro: int) -> np.ndarray:
    """Whether each state contains the micro-conversion."""
    return (state >> micro) & 1 == 1


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def steps_of(states: np.ndarray) -> np.ndarray:
    """Deepest step of buying in each state, as a position in catalogue.STEPS."""
    steps = np.zeros(len(states), np.int8)
    for step, micro in enumerate((c.VIEWED, c.CART, c.CHECKOUT, c.PAYMENT), start=1):
        steps[has(states, micro)] = step
    return steps


def purchase_probabilities() -> np.ndarray:
    """(states, segments): probability that an ordinary session in that state leads to an order."""
    states = np.arange(2 ** len(c.MICROS))
    logit = np.array(c.STEP_LOGIT)[steps_of(states)]
    for micro, effect in c.MICRO_EFFECT.items():
        logit = logit + effect * has(states, micro)
    segments = np.arange(c.SEGMENTS)
    shift = np.array(c.CLASS_LOGIT)[segments // 2] + c.RETURNING_LOGIT * (segments % 2)
    return sigmoid(logit[:, None] + shift[None, :])


def simulate_sessions(
    traffic: Traffic,
    arrivals: np.ndarray,
    people: np.ndarray,
    *,
    until: int,
    ga4_share: float,
    heavy_users: bool,
    rng: np.random.Generator,
) -> Sessions:
    """All sessions of the people numbered `people` (consecutive) that start before `until`.

    Orders decided in those sessions are followed to their own, later sessions also after `until`.
    """
    count = len(people)
    cell = np.searchsorted(arrivals, people, side="right")
    arrival_day, arrival_campaign = np.divmod(cell, len(c.CAMPAIGNS))
    taste = rng.standard_normal(count) * c.PERSON_LATENT_SD
    has_two_devices = rng.random(count) < c.TWO_DEVICE_SHARE
    logs_in = rng.random(count) < c.LOGIN_SHARE
    is_refused = rng.random(count) < c.REFUSED_SHARE
    is_ga4 = rng.random((count, 2)) < ga4_share
    device = _choose(rng, c.DEVICE_WEIGHTS, (count, 2))
    country = _choose(rng, c.COUNTRY_WEIGHTS, count)

    sessions_each, gap_days = _how_often(traffic, arrival_day, heavy_users, rng)
    owner = np.repeat(np.arange(count), sessions_each)
    is_first = np.r_[True, owner[1:] != owner[:-1]]
    arrival = traffic.start_time + arrival_day * c.DAY + _time_of_day(rng, count)
    gaps = _days(rng.exponential(1.0, len(owner)) * gap_days[owner])
    start = arrival[owner] + _running_sum(np.where(is_first, 0, gaps), is_first)
    slot = (has_two_devices[owner] & ~is_first & (rng.random(len(owner)) < 0.5)).astype(np.int8)

    kept = np.flatnonzero(start < until)
    owner, is_first, start, slot = owner[kept], is_first[kept], start[kept], slot[kept]
    is_new = is_first | (slot == 1) & (_running_sum(slot.astype(np.int64), is_first) == 1)
    campaign = np.where(is_first, arrival_campaign[owner], _later_campaigns(traffic, start, rng))
    segment = _segments(campaign, ~is_new)
    state = _draw_states(segment, taste[owner], rng)

    probability = purchase_probabilities()[state, segment]
    leads_to_order = rng.random(len(owner)) < probability
    in_session = np.array(c.STEP_IN_SESSION)[steps_of(state)]
    buys = leads_to_order & (rng.random(len(owner)) < in_session)
    value = np.where(leads_to_order, _order_values(segment, rng), np.nan)

    cause = np.flatnonzero(leads_to_order & ~buys)
    later = _buying_sessions(owner, start, taste, cause, rng)
    owner = np.r_[owner, owner[cause]]
    slot = np.r_[slot, slot[cause]]
    start = np.r_[start, later["start"]]
    campaign = np.r_[campaign, later["campaign"]]
    segment = np.r_[segment, later["segment"]]
    state = np.r_[state, later["state"]]
    buys = np.r_[buys, np.ones(len(cause), bool)]
    value = np.r_[np.where(buys[: len(value)], value, np.nan), value[cause]]

    order = np.lexsort((start, owner))
    owner, slot, start, campaign = owner[order], slot[order], start[order], campaign[order]
    number, first_campaign = _visitor_history(owner * 2 + slot, campaign)
    return Sessions(
        person=people[owner],
        device_slot=slot,
        number=number,
        campaign=campaign.astype(np.int8),
        first_campaign=first_campaign.astype(np.int8),
        segment=segment[order].astype(np.int8),
        start=start,
        state=state[order],
        buys=buys[order],
        order_value=value[order],
        is_ga4=is_ga4[owner, slot],
        is_refused=is_refused[owner],
        login_from=_logins(number, has_two_devices[owner], logs_in[owner]),
        device=device[owner, slot].astype(np.int8),
        country=country[owner].astype(np.int8),
    )


def _choose(rng: np.random.Generator, weights: tuple[float, ...], size) -> np.ndarray:
    return np.searchsorted(np.cumsum(weights)[:-1] / sum(weights), rng.random(size), side="right")


def _days(days: np.ndarray) -> np.ndarray:
    """Days in microseconds, cut to whole milliseconds as clocks of browsers tell them."""
    return (days * 86_400_000).astype(np.int64) * 1000


def _running_sum(values: np.ndarray, is_first: np.ndarray) -> np.ndarray:
    """Running sum that begins anew wherever is_first."""
    total = np.cumsum(values)
    before = (total - values)[is_first]
    return total - np.repeat(before, np.diff(np.r_[np.flatnonzero(is_first), len(values)]))


def _time_of_day(rng: np.random.Generator, count: int) -> np.ndarray:
    milliseconds = (_choose(rng, c.HOUR_WEIGHTS, count) + rng.random(count)) * 3_600_000
    return milliseconds.astype(np.int64) * 1000


def _how_often(
    traffic: Traffic, arrival_day: np.ndarray, heavy_users: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Number of ordinary sessions per person, and the mean gap between them in days."""
    count = len(arrival_day)
    if not heavy_users:
        return rng.geometric(1 - c.RETURN_SHARE, count), np.full(count, c.RETURN_GAP_DAYS)
    mean = rng.lognormal(np.log(c.HEAVY_SESSIONS_MEAN) - 0.32, 0.8, count)
    sessions = 1 + rng.poisson(np.minimum(mean, 1000))
    return sessions, np.maximum(traffic.days - arrival_day, 1) / sessions


def _later_campaigns(traffic: Traffic, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shares = traffic.later_shares[traffic.day_of(start)]
    below = (rng.random(len(start))[:, None] >= shares).sum(axis=1)
    return np.minimum(below, len(c.CAMPAIGNS) - 1)


def _segments(campaign: np.ndarray, is_returning: np.ndarray) -> np.ndarray:
    intent = np.array([campaign.intent for campaign in c.CAMPAIGNS])[campaign]
    return intent * 2 + is_returning


def _draw_states(segment: np.ndarray, taste: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Micro-conversions of ordinary sessions: tied to each other by the latent intent."""
    latent = np.array(c.CLASS_LATENT)[segment // 2] + c.RETURNING_LATENT * (segment % 2) + taste
    latent = latent + rng.standard_normal(len(segment)) * c.SESSION_LATENT_SD
    return _draw_micros(latent, {}, rng)


def _draw_micros(
    latent: np.ndarray, forced: dict[int, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    state = np.zeros(len(latent), np.int16)
    for micro in range(len(c.MICROS)):
        probability = sigmoid(c.MICRO_INTERCEPT[micro] + c.MICRO_SLOPE[micro] * latent)
        met = rng.random(len(latent)) < probability
        if micro in forced:
            met = forced[micro]
        elif micro in c.PARENT:
            met = met & has(state, c.PARENT[micro])
        state |= met.astype(np.int16) << micro
    return state


def _order_values(segment: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mean = np.array(c.ORDER_MEAN)[segment // 2] * c.ORDER_RETURNING_FACTOR ** (segment % 2)
    value = mean * rng.lognormal(-(c.ORDER_SIGMA**2) / 2, c.ORDER_SIGMA, len(segment))
    is_outlier = rng.random(len(segment)) < c.OUTLIER_SHARE
    return np.round(np.where(is_outlier, value * c.OUTLIER_FACTOR, value), 2)


def _buying_sessions(
    owner: np.ndarray,
    start: np.ndarray,
    taste: np.ndarray,
    cause: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """The later sessions in which people return to buy what the sessions `cause` decided."""
    count = len(cause)
    whole = 1 - np.exp(-c.DELAY_CUT_DAYS / c.DELAY_MEAN_DAYS)
    delay_days = -c.DELAY_MEAN_DAYS * np.log1p(-whole * rng.random(count))
    is_email = rng.random(count) < c.BUYING_EMAIL_SHARE
    campaign = np.where(is_email, c.EMAIL_CAMPAIGN, c.DIRECT_CAMPAIGN)
    by_wallet = rng.random(count) < c.BUYING_WALLET_SHARE
    forced = {
        c.VIEWED: rng.random(count) < c.BUYING_VIEWS_SHARE,
        c.CART: np.ones(count, bool),
        c.CHECKOUT: ~by_wallet,
        c.PAYMENT: ~by_wallet,
    }
    latent = c.BUYING_LATENT + taste[owner[cause]]
    return {
        "start": start[cause] + _days(delay_days),
        "campaign": campaign,
        "segment": _segments(campaign, np.ones(count, bool)),
        "state": _draw_micros(latent, forced, rng),
    }


def _visitor_history(visitor: np.ndarray, campaign: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Session number within the visitor, and the campaign of the visitor's first session."""
    order = np.argsort(visitor, kind="stable")
    is_first = np.r_[True, visitor[order][1:] != visitor[order][:-1]]
    first_position = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    number = np.empty(len(visitor), np.int32)
    number[order] = np.arange(len(visitor)) - first_position[group] + 1
    first_campaign = np.empty(len(visitor), np.int64)
    first_campaign[order] = campaign[order][first_position][group]
    return number, first_campaign


def _logins(number: np.ndarray, has_two_devices: np.ndarray, logs_in: np.ndarray) -> np.ndarray:
    """Position of the first event with a user id; from the second session on it is known at once.

    Who has two devices logs in at the start of each device's first session, so that the two are
    one user from the data alone.
    """
    first_session = np.where(has_two_devices, 0, 2)
    return np.where(has_two_devices | logs_in, np.where(number == 1, first_session, 0), NEVER)
