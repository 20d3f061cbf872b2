"""The values of one version, reckoned in plain Python from sessions, micros, macros and logins.

Written from docs/methods.md, one row at a time and without SQL, so that one mistake does not stand
in both. One goal; reporting time zone UTC.
Belongs here: the reckoning. Does not belong here: reading the warehouse, comparing.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

Segment = tuple[str, str]
ALL: Segment = ("(all)", "(all)")
START = "(session)"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def money(amount: float) -> Decimal:
    return Decimal(repr(float(amount))).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def event_order(row: Mapping[str, Any]) -> tuple[datetime, int, int]:
    return row["occurred_at"], row["sequence"], row["event_number"]


def groups_of(segment: Segment) -> tuple[Segment, Segment, Segment]:
    """The segment and its parents, from all to itself."""
    return ALL, (segment[0], "(all)"), segment


@dataclass(frozen=True)
class Rule:
    """A row of micro_conversions.csv as far as values need it."""

    name: str
    tier: str
    rank: int
    weight: float


@dataclass(frozen=True)
class Step:
    """A moment at which the state of a session changes."""

    item: str
    occurred_at: datetime
    state: frozenset[str]
    rank: int
    weight: float

    @property
    def weighed(self) -> tuple[int, float]:
        """Its tier and the highest weight so far."""
        return self.rank, self.weight


@dataclass(frozen=True)
class Trial:
    unit: int
    user: int
    segment: Segment
    age: int
    delay: int | None
    macro_at: datetime | None

    @property
    def is_success(self) -> bool:
        return self.macro_at is not None


@dataclass
class Probability:
    trials: int
    mature_trials: int
    conversions: int
    matured: float
    base_conversions: int
    base_matured: float
    conversions_without: int
    matured_without: float
    # squared distances to the rate: of users' sums, and as many independent trials would have
    spread_of_users: float
    spread_of_trials: float
    design_effect: float = math.nan
    base_design_effect: float = math.nan
    prior_rate: float = math.nan
    prior_strength: float = math.nan
    prior_variance: float = 0.0

    @property
    def effective_trials(self) -> float:
        return self.matured / self.design_effect

    @property
    def probability(self) -> float:
        successes = self.conversions / self.design_effect + self.prior_rate * self.prior_strength
        return successes / (self.effective_trials + self.prior_strength)

    @property
    def variance(self) -> float:
        known = self.effective_trials + self.prior_strength
        own = self.probability * (1 - self.probability) / (known + 1)
        return own + (self.prior_strength / known) ** 2 * self.prior_variance

    @property
    def size(self) -> float:
        """Of the Beta with this mean and variance."""
        return max(self.probability * (1 - self.probability) / self.variance - 1, 0)

    @property
    def successes(self) -> float:
        return self.probability * self.size

    @property
    def failures(self) -> float:
        return (1 - self.probability) * self.size


@dataclass
class Customers:
    """Whoever did a micro-conversion: amounts of the orders that followed, and for each user with
    a whole lifetime the number and the money of the orders in it."""

    baskets: list[float] = field(default_factory=list)
    lifetimes: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Shop:
    """What is known, and the policy under which the version of `moment` is reckoned."""

    moment: datetime
    policy: Mapping[str, Any]
    default_value: float
    rules: Mapping[str, Rule]
    sessions: Mapping[int, Mapping[str, Any]]
    micros: Sequence[Mapping[str, Any]]
    macros: Sequence[Mapping[str, Any]]
    logins: Sequence[Mapping[str, Any]]
    curves: dict[str, list[float]] = field(default_factory=dict)

    def known(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Nothing that happened from the moment on is read."""
        return [row for row in rows if row["occurred_at"] < self.moment]

    @cached_property
    def users(self) -> dict[int, int]:
        """Visitor → user: the last login that was known at the moment."""
        return {
            row["visitor_key"]: row["user_key"]
            for row in sorted(
                self.known(self.logins),
                key=lambda row: (row["occurred_at"], row["sequence"], row["user_id"]),
            )
        }

    def user_of(self, row: Mapping[str, Any]) -> int:
        return self.users.get(row["visitor_key"], row["visitor_key"])

    def segment_of(self, session: int) -> Segment:
        row = self.sessions[session]
        return row["intent_class"], row["visitor_type"]

    def segment_then(self, session: int) -> Segment:
        """The segment as it was known at the moment: what gave the source may have come later."""
        row = self.sessions[session]
        unknown = row["sourced_at"] is not None and row["sourced_at"] >= self.moment
        return "direct" if unknown else row["intent_class"], row["visitor_type"]

    def started_within(self, begin: datetime, end: datetime) -> set[int]:
        return {key for key, row in self.sessions.items() if begin <= row["started_at"] < end}

    @cached_property
    def in_look_back(self) -> set[int]:
        """The sessions whose trials count."""
        return self.started_within(self.moment - self.policy["look_back_days"] * DAY, self.moment)

    @cached_property
    def settled(self) -> set[int]:
        """As many days of sessions, but such that all that could credit them is known; of a short
        history its first half, but none that may still go on."""
        usual = self.moment - self.policy["attribution_look_back_days"] * DAY
        first = min([row["started_at"] for row in self.sessions.values()], default=self.moment)
        end = min(max(usual, first + (self.moment - first) / 2), self.moment - DAY)
        return self.started_within(usual - self.policy["look_back_days"] * DAY, end)

    @cached_property
    def macros_of_user(self) -> dict[int, list[Mapping[str, Any]]]:
        macros = defaultdict(list)
        for row in sorted(self.known(self.macros), key=event_order):
            macros[self.user_of(row)].append(row)
        return macros

    @cached_property
    def trials(self) -> dict[str, list[Trial]]:
        moments = [
            (START, key, (self.sessions[key]["started_at"], -1, 0)) for key in self.in_look_back
        ]
        moments += [
            (row["micro_conversion"], row["session_key"], event_order(row))
            for row in self.known(self.micros)
            if row["session_key"] in self.in_look_back
        ]
        trials = defaultdict(list)
        for name, session, moment in moments:
            trials[name].append(self._trial(session, moment))
        return trials

    def _trial(self, session: int, moment: tuple[datetime, int, int]) -> Trial:
        horizon = self.policy["horizon_days"] * 24
        later = [
            row["occurred_at"]
            for row in self.macros_of_user.get(self.user_of(self.sessions[session]), [])
            if event_order(row) > moment and row["occurred_at"] <= moment[0] + horizon * HOUR
        ]
        return Trial(
            unit=session,
            user=self.user_of(self.sessions[session]),
            segment=self.segment_then(session),
            age=min((self.moment - moment[0]) // HOUR, horizon),
            delay=min((later[0] - moment[0]) // HOUR, horizon - 1) if later else None,
            macro_at=later[0] if later else None,
        )

    def maturity(self, name: str, age: int) -> float:
        """G: the share of the horizon's conversions that has come within `age` full hours."""
        if age >= self.policy["horizon_days"] * 24:
            return 1.0
        if name not in self.curves:
            self.curves[name] = self._curve(self.trials[name])
        curve = self.curves[name]
        return (curve[age] / curve[-1] if curve[-1] else 1.0) if age else 0.0

    def _curve(self, trials: Sequence[Trial]) -> list[float]:
        """F at each full hour, by the product-limit estimate over the trials still at risk."""
        # how long each was watched without a conversion: until it came or until today
        events = Counter(t.delay for t in trials if t.delay is not None and t.delay < t.age)
        ends = sorted(
            t.delay + 1 if t.delay is not None and t.delay < t.age else t.age for t in trials
        )
        curve, left = [0.0], 1.0
        for hour in range(self.policy["horizon_days"] * 24):
            at_risk = len(ends) - bisect_right(ends, hour)
            left *= 1 - events[hour] / at_risk if at_risk else 1
            curve.append(1 - left)
        return curve

    @cached_property
    def probabilities(self) -> dict[tuple[str, Segment], Probability]:
        counted = {
            (name, segment): self._count(name, segment)
            # what nobody has done yet stands there too, for all segments
            for name in self.rules
            for segment in sorted(
                {ALL, *(g for t in self.trials[name] for g in groups_of(t.segment))}
            )
        }
        for (name, segment), row in counted.items():
            alike = [
                other
                for (of, group), other in counted.items()
                if of == name and _depth(group) == _depth(segment)
            ]
            row.design_effect = _ratio_above_one(
                sum(other.spread_of_users for other in alike),
                sum(other.spread_of_trials for other in alike),
            )
        # for the base all groups of a level count, also those without the micro-conversion
        for depth in range(3):
            base = self._base_of_level(depth)
            for (_, segment), row in counted.items():
                if _depth(segment) == depth:
                    row.base_design_effect = base
        shifts: dict[str, float] = {}
        # from all down to the segments, since each leans on its parent
        for (name, segment), row in sorted(counted.items(), key=lambda item: _depth(item[0][1])):
            depth = _depth(segment)
            if depth == 0:
                row.prior_rate = self.rules[name].weight
                row.prior_strength = float(self.policy["prior_strength"])
                continue
            parent = counted[name, groups_of(segment)[depth - 1]]
            known = parent.effective_trials + parent.prior_strength
            variance = _log_odds_variance(depth, counted)
            factor = 1.0
            if depth == 2:
                shifts = shifts or _odds_of_visitor_types(counted)
                factor = shifts[segment[1]]
            share = parent.probability
            scale = 1 - share + share * factor
            row.prior_rate = share * factor / scale
            row.prior_variance = parent.variance * (factor / scale**2) ** 2
            row.prior_strength = known
            if variance is not None:
                odds = row.prior_rate * (1 - row.prior_rate) * variance
                row.prior_strength = min(max(1 / odds - 1, 0.000001), known)
        return counted

    def _base_of_level(self, depth: int) -> float:
        groups = {groups_of(t.segment)[depth] for t in self.trials[START]}
        spreads = [
            self._spreads(START, [t for t in self.trials[START] if group in groups_of(t.segment)])
            for group in groups
        ]
        return _ratio_above_one(sum(s[0] for s in spreads), sum(s[1] for s in spreads))

    def _spreads(self, name: str, trials: Sequence[Trial]) -> tuple[float, float]:
        """How far the sums of users lie from the rate, and how far independent trials would."""
        conversions, matured = self._sums(name, trials)
        rate = conversions / matured if matured else 0.0
        of_user: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for t in trials:
            of_user[t.user][0] += t.is_success
            of_user[t.user][1] += self.maturity(name, t.age)
        users = math.fsum((x - rate * n) ** 2 for x, n in of_user.values())
        tries = math.fsum(self.maturity(name, t.age) for t in trials)
        return users, rate * (1 - rate) * tries

    def _count(self, name: str, segment: Segment) -> Probability:
        own = [t for t in self.trials[name] if segment in groups_of(t.segment)]
        units = [t for t in self.trials[START] if segment in groups_of(t.segment)]
        with_micro = {t.unit for t in self.trials[name]}
        without = [t for t in units if t.unit not in with_micro]
        conversions, matured = self._sums(name, own)
        base_conversions, base_matured = self._sums(START, units)
        conversions_without, matured_without = self._sums(START, without)
        users, tries = self._spreads(name, own)
        return Probability(
            trials=len(own),
            mature_trials=sum(t.age >= self.policy["horizon_days"] * 24 for t in own),
            conversions=conversions,
            matured=matured,
            base_conversions=base_conversions,
            base_matured=base_matured,
            conversions_without=conversions_without,
            matured_without=matured_without,
            spread_of_users=users,
            spread_of_trials=tries,
        )

    def _sums(self, name: str, trials: Sequence[Trial]) -> tuple[int, float]:
        conversions = sum(t.is_success for t in trials)
        # a success can come before its trial has matured
        return conversions, max(math.fsum(self.maturity(name, t.age) for t in trials), conversions)

    def _ceiling(self, amounts: Sequence[float]) -> float:
        """The quantile above which money is cut, of those who brought some."""
        return _quantile([amount for amount in amounts if amount], self.policy["winsor_quantile"])

    @cached_property
    def average_macro_values(self) -> dict[Segment, float]:
        read = [
            (float(row["value"]), self.segment_then(row["session_key"]))
            for row in self.known(self.macros)
            if row["session_key"] in self.in_look_back and row["value_source"] != "none"
        ]
        ceiling = self._ceiling([value for value, _ in read])
        strength = self.policy["macro_value_prior_orders"]
        averages: dict[Segment, float] = {}
        segments = {g for row in self.sessions for g in groups_of(self.segment_of(row))}
        for segment in sorted(segments, key=_depth):
            depth = _depth(segment)
            parent = averages[groups_of(segment)[depth - 1]] if depth else self.default_value
            own = [min(value, ceiling) for value, of in read if segment in groups_of(of)]
            averages[segment] = (math.fsum(own) + strength * parent) / (len(own) + strength)
        return averages

    @cached_property
    def cut_values(self) -> dict[int, float]:
        """Event of a macro → its money, cut at the quantile of all that are known."""
        read = self.known(self.macros)
        amounts = [float(row["value"]) for row in read if row["value_source"] != "none"]
        ceiling = money(self._ceiling(amounts))
        return {row["event_key"]: float(min(row["value"], ceiling)) for row in read}

    @cached_property
    def customers(self) -> dict[tuple[str, Segment], Customers]:
        customers: dict[tuple[str, Segment], Customers] = defaultdict(Customers)
        # user and time → money; of two orders on one tick of the clock the mean
        ticks: dict[tuple[int, datetime], list[float]] = defaultdict(list)
        for user, macros in self.macros_of_user.items():
            for row in macros:
                if row["value_source"] != "none":
                    ticks[user, row["occurred_at"]].append(self.cut_values[row["event_key"]])
        baskets = {
            (name, group, t.user, t.macro_at)
            for name, trials in self.trials.items()
            if name != START
            for t in trials
            if t.is_success
            for group in groups_of(t.segment)
        }
        for name, group, *tick in baskets:
            if amounts := ticks.get(tuple(tick)):
                customers[name, group].baskets.append(math.fsum(amounts) / len(amounts))
        firsts: dict[tuple[str, int], Mapping[str, Any]] = {}
        for row in sorted(self.known(self.micros), key=event_order):
            firsts.setdefault((row["micro_conversion"], self.user_of(row)), row)
        lifetime = self.policy["lifetime_days"] * DAY
        newest = self.moment - lifetime
        for (name, user), first in firsts.items():
            age = newest - first["occurred_at"]
            if timedelta() <= age < self.policy["look_back_days"] * DAY:
                brought = [
                    self.cut_values[row["event_key"]]
                    for row in self.macros_of_user.get(user, [])
                    if event_order(row) > event_order(first)
                    and row["occurred_at"] <= first["occurred_at"] + lifetime
                ]
                for group in groups_of(self.segment_of(first["session_key"])):
                    customers[name, group].lifetimes.append((len(brought), math.fsum(brought)))
        return customers

    @cached_property
    def steps(self) -> dict[int, list[Step]]:
        """Session → its steps: the start, each micro-conversion, the goal."""
        items: dict[int, list[tuple[int, int, str, datetime, float]]] = defaultdict(list)
        for row in self.micros:
            rule = self.rules[row["micro_conversion"]]
            place = row["event_number"], rule.rank, rule.name
            items[row["session_key"]].append((*place, row["occurred_at"], rule.weight))
        for row in sorted(self.macros, key=lambda row: row["event_number"], reverse=True):
            others = [item for item in items[row["session_key"]] if item[1] != 4]
            macro = row["event_number"], 4, "(macro)", row["occurred_at"], 1.0
            items[row["session_key"]] = [*others, macro]
        steps = {}
        for session, row in self.sessions.items():
            steps[session] = [Step("(start)", row["started_at"], frozenset(), 0, 0.0)]
            for _, rank, item, occurred_at, weight in sorted(items[session]):
                last = steps[session][-1]
                steps[session].append(
                    Step(
                        item,
                        occurred_at,
                        last.state | {item},
                        max(last.rank, rank),
                        max(last.weight, weight),
                    )
                )
        return steps

    @cached_property
    def credits(self) -> dict[int, float]:
        """Session → the money that macros known at the moment credit to it, by time decay."""
        reach = self.policy["attribution_look_back_days"] * DAY
        half_life = self.policy["attribution_half_life_days"] * DAY
        sessions_of_user = defaultdict(list)
        for key, row in self.sessions.items():
            if row["started_at"] < self.moment:
                sessions_of_user[self.user_of(row)].append(key)
        # money above the quantile is spread over all macros in proportion
        read = [row for row in self.known(self.macros) if row["value_source"] != "none"]
        values = [float(row["value"]) for row in read]
        ceiling = self._ceiling(values)
        factor = math.fsum(values) / math.fsum(min(value, ceiling) for value in values)
        credits: dict[int, float] = defaultdict(float)
        for user, macros in self.macros_of_user.items():
            for macro in macros:
                weights = {}
                for key in sessions_of_user[user]:
                    age = macro["occurred_at"] - self.sessions[key]["started_at"]
                    if timedelta() <= age and (age <= reach or key == macro["session_key"]):
                        weights[key] = 0.5 ** (age / half_life)
                for key, weight in weights.items():
                    share = weight / math.fsum(weights.values())
                    credits[key] += min(float(macro["value"]), ceiling) * factor * share
        return credits

    @cached_property
    def state_values(self) -> dict[tuple[Segment, object], tuple[Decimal, Decimal]]:
        """(segment, tier rank, (rank, weight) or state) → V, W. Ranks are there for every segment
        met, and so is each weight that any session reached."""
        passed, ended = _Means(), _Means()
        weighed: dict[frozenset[str], tuple[int, float]] = {}
        for session in self.settled:
            steps, segment = self.steps[session], self.segment_then(session)
            credit = self.credits.get(session, 0.0)
            weighed |= {step.state: step.weighed for step in steps}
            for means, read in ((passed, steps), (ended, steps[-1:])):
                places = {place for step in read for place in (step.rank, step.weighed, step.state)}
                means.add(credit, *((of, place) for of in (ALL, segment) for place in places))
        start = passed.mean((ALL, 0), 0.0, 0)
        seen = [(of, state) for of, state in passed.amounts if state in weighed and of != ALL]
        v, w = (self._leaning(means, start, weighed, seen) for means in (passed, ended))
        return {key: (money(v[key]), money(w[key])) for key in v if key[0] != ALL}

    def _leaning(
        self,
        means: "_Means",
        start: float,
        weighed: Mapping[frozenset[str], tuple[int, float]],
        seen: Sequence[tuple[Segment, frozenset[str]]],
    ) -> dict[tuple[Segment, object], float]:
        """Each place's mean, leaning on its parent's: a tier of a segment on the tier, a weight on
        its tier, a weight of a segment on the weight, a state on its weight; and a state of a
        segment on the state, times what the segment's weight is beside the weight."""
        segments = {self.segment_of(session) for session in self.sessions}
        values: dict[tuple[Segment, object], float] = {}
        for rank in range(5):
            values[ALL, rank] = means.mean((ALL, rank), start, 0)
            weights = sorted({place for place in weighed.values() if place[0] == rank})
            here = [(of, state) for of, state in seen if weighed[state][0] == rank]
            states: dict[tuple[Segment, object], list[tuple[Segment, object]]] = defaultdict(list)
            for state in sorted({state for _, state in here}, key=sorted):
                states[ALL, weighed[state]].append((ALL, state))
            # parent → children
            for families in (
                {(ALL, rank): [(of, rank) for of in segments]},
                {(ALL, rank): [(ALL, weight) for weight in weights]},
                {(ALL, weight): [(of, weight) for of in segments] for weight in weights},
                states,
            ):
                strength = _credibility(
                    [
                        {key: means.amounts[key] for key in children if key in means.amounts}
                        for children in families.values()
                    ],
                    self.policy["state_prior_sessions"],
                )
                for parent, children in families.items():
                    for key in children:
                        values[key] = means.mean(key, values[parent], strength)
            expected = {}
            for of, state in here:
                weight = weighed[state]
                beside = values[of, weight] / values[ALL, weight] if values[ALL, weight] else None
                expected[of, state] = (
                    values[of, weight] if beside is None else values[ALL, state] * beside
                )
            strength = _credibility_of_expected(
                [
                    (means.amounts[key], mean)
                    for key, mean in expected.items()
                    if key in means.amounts
                ],
                self.policy["state_prior_sessions"],
            )
            for key, mean in expected.items():
                values[key] = means.mean(key, mean, strength)
        return values

    def value_of(self, segment: Segment, step: Step) -> tuple[Decimal, Decimal]:
        """V, W of a state; one that was never seen is worth what its weight in its deepest tier is,
        or else what that tier is."""
        values = self.state_values
        for place in (step.state, step.weighed):
            if (segment, place) in values:
                return values[segment, place]
        return values[segment, step.rank]

    @cached_property
    def increments(self) -> dict[tuple[str, Segment], float]:
        """Mean of V(after) - V(before) over the settled sessions with a micro-conversion."""
        found = defaultdict(list)
        for session in self.settled:
            segment, steps = self.segment_then(session), self.steps[session]
            for before, after in pairwise(steps):
                if after.item != "(macro)" and after.occurred_at < self.moment:
                    raised = self.value_of(segment, after)[0] - self.value_of(segment, before)[0]
                    for group in groups_of(segment):
                        found[after.item, group].append(float(raised))
        return {key: math.fsum(raised) / len(raised) for key, raised in found.items()}

    def booked(self, session: int) -> tuple[Decimal, Decimal, Decimal]:
        """Baseline, increments and closing of a session, by what is in force on its day."""
        segment, steps = self.segment_of(session), self.steps[session]
        if self.sessions[session]["started_at"] >= self.moment:
            values = [self.value_of(segment, step) for step in steps]
        else:
            # no version yet: the configured weights speak, and an end books nothing
            weights = [money(step.weight * self.default_value) for step in steps]
            values = [(value, value) for value in weights]
        raised = sum(
            (after[0] - before[0] for before, after in pairwise(values)),
            Decimal(0),
        )
        return values[0][0], raised, values[-1][1] - values[-1][0]


class _Means:
    """Sums and counts by key."""

    def __init__(self) -> None:
        self.amounts: dict[object, list[float]] = defaultdict(list)

    def add(self, amount: float, *keys: object) -> None:
        for key in keys:
            self.amounts[key].append(amount)

    def mean(self, key: object, parent: float, strength: float) -> float:
        """The mean, which leans on the parent's as if that were `strength` members."""
        own = self.amounts.get(key, [])
        if not own and not strength:
            return parent
        return (math.fsum(own) + strength * parent) / (len(own) + strength)


def mean_with_bounds(amounts: Sequence[float], z: float) -> tuple[float | None, ...]:
    """Mean and the bounds of Student's t at the level of the normal quantile z, not below 0; no
    bounds below five amounts, no mean without one. The quantile by its expansion round z
    (Abramowitz and Stegun 26.7.5)."""
    if not amounts:
        return None, None, None
    mean = math.fsum(amounts) / len(amounts)
    free = len(amounts) - 1
    if free < 4:
        return mean, None, None
    quantile = (
        z
        + (z**3 + z) / 4 / free
        + (5 * z**5 + 16 * z**3 + 3 * z) / 96 / free**2
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / free**3
    )
    variance = math.fsum((amount - mean) ** 2 for amount in amounts) / free
    half = quantile * math.sqrt(variance / len(amounts))
    return mean, max(mean - half, 0), mean + half


def _depth(segment: Segment) -> int:
    """0 for all, 1 for an intent class, 2 for a segment."""
    return sum(part != "(all)" for part in segment)


def _ratio_above_one(above: float, below: float) -> float:
    return max(above / below, 1.0) if below else 1.0


def _odds_of_visitor_types(
    counted: Mapping[tuple[str, Segment], Probability],
) -> dict[str, float]:
    """Odds of new, and of returning visitors over those of their intent classes, all acts together;
    1 where chance alone would do. The intent classes must have leant on all already."""
    factors = {}
    for visitor_type in {segment[1] for _, segment in counted if _depth(segment) == 2}:
        rows = [
            (name, row, counted[name, (segment[0], "(all)")].probability)
            for (name, segment), row in counted.items()
            if segment[1] == visitor_type and _depth(segment) == 2
        ]
        came = math.fsum(row.conversions / row.design_effect for _, row, _ in rows) + 0.5
        trials = math.fsum(row.effective_trials for _, row, _ in rows) + 1
        expected = math.fsum(row.effective_trials * rate for _, row, rate in rows) + 0.5
        moved = math.log(came / (trials - came)) - math.log(expected / (trials - expected))
        error = len({name for name, _, _ in rows}) * (1 / came + 1 / (trials - came))
        factors[visitor_type] = math.exp(moved - error / moved) if moved**2 > error else 1.0
    return factors


def _log_odds_variance(
    depth: int, counted: Mapping[tuple[str, Segment], Probability]
) -> float | None:
    """Of the groups of one level below their parents, None when they differ only by chance."""
    families = defaultdict(list)
    for (name, segment), row in counted.items():
        if _depth(segment) == depth and row.matured > 0:
            families[name, groups_of(segment)[depth - 1]].append(row)
    above = below = 0.0
    for key, rows in families.items():
        mean = counted[key].conversions / counted[key].matured
        variance = mean * (1 - mean)
        if variance <= 0:
            continue
        sizes = [row.effective_trials for row in rows]
        rates = [row.conversions / row.matured for row in rows]
        free = len(rows) - 1
        spread = sum(n * (rate - mean) ** 2 for n, rate in zip(sizes, rates, strict=True))
        above += spread / variance - free
        below += variance * (sum(sizes) - sum(n * n for n in sizes) / sum(sizes) - free)
    return above / below if above > 0 and below else None


def _credibility(families: Sequence[Mapping[object, list[float]]], most: float) -> float:
    """The variance within groups over the variance between them, at most `most`.

    A group's mean square is its variance and the square of its mean, which scatters about the
    family's by the variance between: so also groups of one member say how far chance goes.
    """
    chance = between = effective = 0.0
    free = 0
    for groups in families:
        if not groups:
            continue
        everything = [amount for amounts in groups.values() for amount in amounts]
        grand = math.fsum(everything) / len(everything)
        for amounts in groups.values():
            mean = math.fsum(amounts) / len(amounts)
            square = math.fsum(amount**2 for amount in amounts) / len(amounts)
            others = 1 - len(amounts) / len(everything)
            between += len(amounts) * (mean - grand) ** 2
            chance += others * (square - grand**2)
            effective += len(amounts) * others - others
        free += len(groups) - 1
    # what rounding leaves of a family in which all are alone is nothing
    if not free or effective < 1e-9:
        return most
    excess = (between - chance) / effective
    return min(max(chance / free - excess, 0.0) / excess, most) if excess > 0 else most


def _credibility_of_expected(groups: Sequence[tuple[Sequence[float], float]], most: float) -> float:
    """The same for groups of which each one's mean is expected beforehand."""
    effective = sum(len(amounts) - 1 for amounts, _ in groups)
    if not effective:
        return most
    between = chance = 0.0
    for amounts, expected in groups:
        mean = math.fsum(amounts) / len(amounts)
        between += len(amounts) * (mean - expected) ** 2
        chance += math.fsum(amount**2 for amount in amounts) / len(amounts) - expected**2
    excess = (between - chance) / effective
    return min(max(chance / len(groups) - excess, 0.0) / excess, most) if excess > 0 else most


def _quantile(values: Sequence[float], share: float) -> float:
    """Interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
