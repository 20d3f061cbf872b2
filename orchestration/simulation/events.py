"""From sessions to single events in their order on the clock.

Belongs here: which events a session's state implies, their order, the seconds between them.
Does not belong here: why a session reached its state (behaviour.py), faults (dirt.py), columns of
files (columns.py, generic_files.py, ga4_files.py).
"""

from dataclasses import dataclass

import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation.behaviour import Sessions, has

_PRICES = np.round(np.random.default_rng(2024).lognormal(3.6, 0.6, c.ITEMS), 2)
# Positions this close belong together: the second event keeps the clock of the first.
_NEXT = 1e-5
_MEDIAN_GAP_SECONDS = 20
_GAP_SIGMA = 0.9
_LONG_PAUSE_SHARE = 0.004
# A pause of exactly the timeout still belongs to the visit.
_EXACT_TIMEOUT_SHARE = 0.0005


@dataclass
class Events:
    """One entry per event, ordered by person and event order; all arrays have one length.

    session: position in Sessions. sequence: position in the session, from 0. code: position in
    catalogue.EVENTS. detail: item, percentage, search term or the like. amount: USD, NaN where
    none. time: microseconds UTC.
    """

    session: np.ndarray
    sequence: np.ndarray
    code: np.ndarray
    detail: np.ndarray
    amount: np.ndarray
    time: np.ndarray

    def __len__(self) -> int:
        return len(self.session)


def opens_session(events: Events, index: np.ndarray) -> np.ndarray:
    """Whether the events at `index` belong to the landing page, which tells the traffic source."""
    code = events.code[index]
    is_landing_page = (code == c.PAGE_VIEW) & (events.detail[index] == c.LANDING_PAGE)
    return is_landing_page | (code == c.SESSION_START) | (code == c.FIRST_VISIT)


class _Script:
    """Collects events as (session, position in 0..1, code, detail), in any order."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, sessions, position, code, detail=0, is_tied=False) -> None:
        size = len(sessions)
        self._parts.append(
            (
                sessions.astype(np.int32),
                sessions + np.broadcast_to(position, size),
                np.full(size, code, np.int8),
                np.broadcast_to(np.asarray(detail, np.int32), size),
                np.broadcast_to(np.asarray(is_tied, bool), size),
            )
        )

    def in_order(self) -> tuple[np.ndarray, ...]:
        session, position, *rest = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        order = np.argsort(position, kind="stable")
        return tuple(values[order] for values in (session, *rest))


def play(sessions: Sessions, rng: np.random.Generator) -> Events:
    """The events of the sessions; moves `sessions.start` where two would come too close."""
    script = _Script()
    _script_arrival(script, sessions)
    _script_interest(script, sessions, rng)
    _script_buying(script, sessions, rng)
    session, code, detail, is_tied = script.in_order()
    is_first = np.r_[True, session[1:] != session[:-1]]
    first_position = np.flatnonzero(is_first)

    gap = np.where(is_tied | is_first, 0, _gaps(len(session), rng))
    elapsed = np.cumsum(gap)
    elapsed -= elapsed[first_position][session]
    last_position = np.r_[first_position[1:], len(session)] - 1
    sessions.start = _keep_apart(sessions.person, sessions.start, elapsed[last_position])

    amount = np.full(len(session), np.nan)
    is_item = (code == c.VIEW_ITEM) | (code == c.ADD_TO_CART)
    amount[is_item] = _PRICES[detail[is_item]]
    is_purchase = code == c.PURCHASE
    amount[is_purchase] = sessions.order_value[session[is_purchase]]
    return Events(
        session=session,
        sequence=(np.arange(len(session)) - first_position[session]).astype(np.int32),
        code=code,
        detail=detail,
        amount=amount,
        time=sessions.start[session] + elapsed,
    )


def _script_arrival(script: _Script, sessions: Sessions) -> None:
    ga4 = np.flatnonzero(sessions.is_ga4)
    newcomers = ga4[sessions.number[ga4] == 1]
    script.add(ga4, 0.0, c.SESSION_START)
    script.add(newcomers, _NEXT, c.FIRST_VISIT, is_tied=True)
    everyone = np.arange(len(sessions))
    script.add(everyone, 2 * _NEXT, c.PAGE_VIEW, c.LANDING_PAGE, is_tied=sessions.is_ga4)
    # a visit that was only a glance has no engagement to report
    engaged = ga4[sessions.state[ga4] != 0]
    script.add(engaged, 0.99, c.USER_ENGAGEMENT)


def _script_interest(script: _Script, sessions: Sessions, rng: np.random.Generator) -> None:
    """Acts of interest, between 0.02 and 0.64 of the session."""
    state, count = sessions.state, len(sessions)

    def those(mask: np.ndarray) -> np.ndarray:
        return np.flatnonzero(mask)

    def chance(share: float) -> np.ndarray:
        return rng.random(count) < share

    pages = np.repeat(np.arange(count), rng.poisson(np.where(state == 0, 0.4, 1.1)))
    script.add(
        pages,
        rng.uniform(0.02, 0.64, len(pages)),
        c.PAGE_VIEW,
        rng.integers(1, c.THANK_YOU_PAGE, len(pages)),
    )

    viewers = those(has(state, c.VIEWED))
    viewers = np.repeat(viewers, 1 + rng.poisson(0.5, len(viewers)))
    at, item = rng.uniform(0.05, 0.6, len(viewers)), rng.integers(0, c.ITEMS, len(viewers))
    script.add(viewers, at, c.PAGE_VIEW, c.PRODUCT_PAGES + item)
    script.add(viewers, at + _NEXT, c.VIEW_ITEM, item, is_tied=True)

    deep = has(state, c.SCROLLED)
    who = those(deep)
    at = rng.uniform(0.05, 0.62, len(who))
    script.add(who, at, c.SCROLL, rng.choice((75, 90), len(who)))
    early = rng.random(len(who)) < 0.5
    script.add(who[early], at[early] - 0.01, c.SCROLL, 50)
    who = those(~deep & chance(0.25))
    percent = rng.choice((10, 25, 50), len(who))
    script.add(who, rng.uniform(0.05, 0.62, len(who)), c.SCROLL, percent)

    watched = has(state, c.VIDEO)
    who = those(watched | chance(0.1))
    at, half = rng.uniform(0.05, 0.55, len(who)), watched[who]
    on = half | (rng.random(len(who)) < 0.5)
    end = half & (rng.random(len(who)) < 0.5)
    for step, (percent, goes_on) in enumerate(((10, None), (25, on), (50, half), (75, end))):
        mask = slice(None) if goes_on is None else goes_on
        script.add(who[mask], at[mask] + 0.01 * step, c.VIDEO_PROGRESS, percent)

    browsed = has(state, c.GALLERY)
    nexts = np.where(browsed, 3 + rng.poisson(0.7, count), chance(0.08) * rng.integers(1, 3, count))
    who = those(nexts > 0)
    first = np.repeat(rng.uniform(0.03, 0.55, len(who)), nexts[who])
    who = np.repeat(who, nexts[who])
    script.add(who, first + rng.uniform(0, 0.03, len(who)), c.GALLERY_NEXT)

    who = those(has(state, c.SEARCHED))
    who = np.repeat(who, 1 + (rng.random(len(who)) < 0.2))
    terms = rng.integers(0, len(c.SEARCH_TERMS), len(who))
    script.add(who, rng.uniform(0.03, 0.55, len(who)), c.SEARCH, terms)
    who = those(has(state, c.NEWSLETTER))
    script.add(who, rng.uniform(0.1, 0.64, len(who)), c.SIGN_UP, rng.integers(0, 2, len(who)))
    who = those(has(state, c.WISHLIST))
    script.add(who, rng.uniform(0.61, 0.64, len(who)), c.ADD_TO_WISHLIST)
    who = those(chance(0.01))
    script.add(who, rng.uniform(0.05, 0.6, len(who)), c.CHAT_OPENED)


def _script_buying(script: _Script, sessions: Sessions, rng: np.random.Generator) -> None:
    """The steps of buying, after 0.64 of the session, and what follows an order."""
    state = sessions.state
    who = np.flatnonzero(has(state, c.CART))
    who = np.repeat(who, 1 + rng.poisson(0.25, len(who)))
    item = rng.integers(0, c.ITEMS, len(who))
    script.add(who, rng.uniform(0.65, 0.74, len(who)), c.ADD_TO_CART, item)
    script.add(np.flatnonzero(has(state, c.CHECKOUT)), 0.75, c.BEGIN_CHECKOUT)
    script.add(np.flatnonzero(has(state, c.PAYMENT)), 0.85, c.ADD_PAYMENT_INFO)
    buyers = np.flatnonzero(sessions.buys)
    # some shops send both in one request: only the sequence tells which came first
    is_tied = has(state[buyers], c.PAYMENT) & (rng.random(len(buyers)) < 0.1)
    script.add(buyers, 0.93, c.PURCHASE, is_tied=is_tied)
    script.add(buyers, 0.95, c.PAGE_VIEW, c.THANK_YOU_PAGE)
    # signed up after buying: a micro-conversion that did not lead to this order
    late = buyers[rng.random(len(buyers)) < 0.06]
    script.add(late, 0.96, c.SIGN_UP, 2)


def _gaps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Microseconds between neighbours in a session, whole milliseconds, never above the timeout."""
    gap = _MEDIAN_GAP_SECONDS * np.exp(rng.standard_normal(count) * _GAP_SIGMA)
    kind = rng.random(count)
    is_pause = kind < _LONG_PAUSE_SHARE
    gap[is_pause] = rng.uniform(300, 1800, is_pause.sum())
    gap = np.clip((gap * 1000).astype(np.int64) * 1000, 1000, c.SESSION_TIMEOUT)
    gap[kind > 1 - _EXACT_TIMEOUT_SHARE] = c.SESSION_TIMEOUT
    return gap


def _keep_apart(person: np.ndarray, start: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """Starts moved later where needed: BETWEEN_SESSIONS after the person's session before."""
    needed = duration + c.BETWEEN_SESSIONS
    before = np.cumsum(needed) - needed
    is_first = np.r_[True, person[1:] != person[:-1]]
    group = np.cumsum(is_first) - 1
    before -= before[is_first][group]
    # a running maximum per person: the offset keeps earlier people below
    slack = start - before
    offset = group * (slack.max() - slack.min() + 1)
    return np.maximum.accumulate(slack + offset) - offset + before
