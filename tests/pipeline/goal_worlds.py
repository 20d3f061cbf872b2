"""A shop with two goals, weeks to each of them, and fourteen micro-conversions, in memory.

Who comes browses once and may come back to buy, and may come back to leave a lead; how likely
either is follows from the acts of the first visit alone, by formulas, so the truth of every cell is
known and not measured. The visits that reach a goal are direct ones without acts.
Belongs here: making the rows and saying the truth. Does not belong here: what the values must come
up to (test_goals.py).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

import duckdb
import numpy as np
from pipeline.many_shops import NO_BOTS, SCHEMAS, Shop

from orchestration.settings import PROJECT_ROOT

# by vars alone: what a business with weeks to the goal sets
WEEKS = {
    "starter_pack": "b2b_saas",
    "look_back_days": 120,
    "horizon_days": 90,
    "attribution_look_back_days": 90,
}
HALF_LIFE_DAYS = 7
HISTORY, FUTURE = 420, 30
INTENTS = ("brand", "generic", "social", "email")
TYPES = ("new", "returning")
GOALS = ("purchase", "lead")
MONEY = np.array([90.0, 250.0])
DELAY_DAYS = np.array([6.0, 30.0])
# name, tier, share of visits that have it, what it adds to the log-odds of either goal
ACTS = (
    ("for purchase", "hard", 0.10, 2.0, 0.0),
    ("for lead", "hard", 0.10, 0.0, 2.0),
    ("for both", "medium", 0.15, 1.0, 1.0),
    ("for neither", "soft", 0.30, 0.0, 0.0),
    *((f"act {number}", ("soft", "medium")[number % 2], 0.12, 0.3, 0.2) for number in range(10)),
)
TIER_RANKS = {"soft": 1, "medium": 2, "hard": 3}


def _logistic(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def chances(segment: np.ndarray, acts: np.ndarray) -> np.ndarray:
    """By visit and goal: how likely the goal is, ever, after a visit with these acts."""
    effects = np.array([act[3:] for act in ACTS])
    intent, is_returning = segment // 2, segment % 2
    base = np.array([[-2.6, -3.2], [-3.2, -3.0], [-3.8, -3.4], [-2.9, -3.6]])
    return _logistic(base[intent] + 0.4 * is_returning[:, None] + acts @ effects)


def within_horizon() -> np.ndarray:
    """Of those who reach a goal the share that does so within the horizon."""
    return 1 - np.exp(-WEEKS["horizon_days"] / DELAY_DAYS)


def credited_share() -> np.ndarray:
    """Mean share of a goal's money that the browsing visit is credited with, by time decay."""
    days = (np.arange(90_000) + 0.5) / 1000
    weight = 0.5 ** (days / HALF_LIFE_DAYS)
    density = np.exp(-days[:, None] / DELAY_DAYS) / DELAY_DAYS
    return (density * (weight / (1 + weight))[:, None]).sum(axis=0) / 1000


class GoalWorld(Shop):
    """Rows of the floors below; `goals`: those that the business counts."""

    def __init__(
        self, version_date: date, people: int, seed: int, goals: Sequence[str] = GOALS
    ) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("attach ':memory:' as intent_map; use intent_map")
        self.connection.execute("set threads = 2; set timezone = 'UTC'")
        for schema in SCHEMAS:
            self.connection.execute(f"create schema {schema}")
        self._make_tables()
        rng = np.random.default_rng(seed)
        moment = int(datetime.combine(version_date, time(), UTC).timestamp())
        self.segment = rng.integers(0, len(INTENTS) * 2, people)
        shares = np.array([act[2] for act in ACTS])
        self.acts = rng.random((people, len(ACTS))) < shares
        started = moment + rng.integers(-HISTORY * 86400, FUTURE * 86400, people)
        reached = rng.random((people, 2)) < chances(self.segment, self.acts)
        delays = np.ceil(rng.exponential(DELAY_DAYS * 86400, (people, 2)))
        amounts = MONEY * rng.lognormal(-0.125, 0.5, (people, 2))
        self._write_visits(started, reached, delays)
        self._write_acts(started, rng)
        self._write_goals(started, reached, delays, amounts)
        self._describe_goals(goals)

    def _write_visits(self, started: np.ndarray, reached: np.ndarray, delays: np.ndarray) -> None:
        """A browsing visit, and one for each goal that is reached."""
        people = np.arange(len(started), dtype=np.int64)
        keys, visitors, starts = [people * 4], [people], [started]
        segments, numbers = [self.segment], [self.segment % 2 + 1]
        for goal in range(2):
            who = people[reached[:, goal]]
            keys.append(who * 4 + 1 + goal)
            visitors.append(who)
            starts.append((started[who] + delays[who, goal]).astype(np.int64))
            # direct, and back again: the first visits of an intent class stay by themselves
            segments.append(np.full(len(who), len(INTENTS) * 2 + 1))
            numbers.append(np.full(len(who), 3 + goal))
        rows = {
            "session_key": np.concatenate(keys),
            "visitor_key": np.concatenate(visitors) * 2 + 1,
            "segment": np.concatenate(segments).astype(np.int64),
            "session_number": np.concatenate(numbers).astype(np.int32),
            "started_at": np.concatenate(starts).astype("datetime64[s]").astype("datetime64[us]"),
        }
        self._store("visits", rows)

    def _write_acts(self, started: np.ndarray, rng: np.random.Generator) -> None:
        person, act = np.nonzero(self.acts)
        # in any order, a second or more behind the start
        place = rng.permuted(np.tile(np.arange(len(ACTS)), (len(started), 1)), axis=1)
        second = place[person, act] + 1
        self._store(
            "acts",
            {
                "session_key": person.astype(np.int64) * 4,
                "micro_conversion": np.array([row[0] for row in ACTS])[act],
                "sequence": second.astype(np.int64),
                "occurred_at": (started[person] + second)
                .astype("datetime64[s]")
                .astype("datetime64[us]"),
            },
        )

    def _write_goals(
        self, started: np.ndarray, reached: np.ndarray, delays: np.ndarray, amounts: np.ndarray
    ) -> None:
        person, goal = np.nonzero(reached)
        self._store(
            "goals_reached",
            {
                "session_key": person.astype(np.int64) * 4 + 1 + goal,
                "macro_conversion": np.array(GOALS)[goal],
                "occurred_at": (started[person] + delays[person, goal] + 60)
                .astype(np.int64)
                .astype("datetime64[s]")
                .astype("datetime64[us]"),
                "amount": amounts[person, goal].round(2),
            },
        )

    def _store(self, table: str, rows: dict[str, np.ndarray]) -> None:
        self.connection.register("rows_added", rows)
        self.connection.execute(f"create table intermediate.{table} as select * from rows_added")
        self.connection.unregister("rows_added")

    def _describe_goals(self, goals: Sequence[str]) -> None:
        weights = {"soft": 0.1, "medium": 0.4, "hard": 0.7}
        rules = ", ".join(
            f"('{name}', '{name}', null, null, null, '1', 'session', 'once_per_session', "
            f"'process', 'intent', '{tier}', '{weights[tier]}', 'b2b_saas', true)"
            for name, tier, *_ in ACTS
        )
        macros = ", ".join(
            f"('{goal}', '{goal}', 'event', null, '100', 'every', null, 'b2b_saas', true)"
            for goal in goals
        )
        seeds = PROJECT_ROOT / "seeds"
        sources = ", ".join(f"('{i}', 'm', 'c', '{i}', '{i}')" for i in (*INTENTS, "direct"))
        self.connection.execute(
            f"""
            create table seeds.micro_conversions as select * from (values {rules}) as rows (
                micro_conversion, event_name, property, operator, threshold, min_occurrences,
                occurrence_scope, counting, kind, phase, tier, weight, starter_pack, is_enabled
            );
            create table seeds.macro_conversions as select * from (values {macros}) as rows (
                macro_conversion, event_name, value_source, fixed_value, default_value, counting,
                refund_event_name, starter_pack, is_enabled
            );
            create table seeds.funnels as from read_csv('{seeds}/funnels.csv', all_varchar = true);
            create table seeds.free_mail_domains as
                from read_csv('{seeds}/free_mail_domains.csv', all_varchar = true);
            create table seeds.intent_rules as
                from read_csv('{seeds}/intent_rules.csv', all_varchar = true);
            create table intermediate.int_traffic_sources as
            select * from (values {sources}) as rows (
                source, medium, campaign, channel_group, intent_class
            );

            create table intermediate.int_sessions as
            select
                session_key, session_key as public_session_key, visitor_key,
                cast(visitor_key as varchar) as visitor_id, session_number,
                case when segment % 2 = 0 then 'new' else 'returning' end as visitor_type,
                started_at, started_at as ended_at, cast(started_at as date) as session_date,
                {list((*INTENTS, "direct"))}[segment // 2 + 1] as source,
                'm' as medium, 'c' as campaign, cast(null as varchar) as source_channel_group,
                started_at as sourced_at
            from intermediate.visits;

            create table intermediate.int_logins (
                visitor_key bigint, user_key bigint, occurred_at timestamp, sequence bigint,
                user_id varchar
            );
            create table intermediate.int_visitor_identities (
                visitor_key bigint, user_id varchar, user_key bigint
            );

            create table intermediate.int_micro_conversions as
            select
                acts.*, visitor_key, tier, cast(weight as double) as weight,
                cast(case tier when 'soft' then 1 when 'medium' then 2 else 3 end as integer)
                    as tier_rank,
                cast(md5_number(micro_conversion) & cast(9007199254740991 as uhugeint) as bigint)
                    as state_item_key,
                sequence as event_number
            from intermediate.acts as acts
            join seeds.micro_conversions using (micro_conversion)
            join intermediate.int_sessions using (session_key);

            create table intermediate.int_macro_conversions as
            select
                row_number() over (order by goals_reached.occurred_at, session_key) as event_key,
                macro_conversion, cast(null as varchar) as order_id, visitor_key,
                visitor_key as user_key, session_key,
                cast(
                    md5_number('macro:' || macro_conversion) & cast(9007199254740991 as uhugeint)
                    as bigint
                ) as state_item_key,
                goals_reached.occurred_at, cast(100 as bigint) as sequence,
                cast(100 as bigint) as event_number, cast(amount as decimal(18, 4)) as value,
                'event' as value_source
            from intermediate.goals_reached
            join seeds.macro_conversions using (macro_conversion)
            join intermediate.int_sessions using (session_key)
            """
        )
        self.connection.execute(NO_BOTS)

    def truth(self, act: int, segments: Sequence[int]) -> np.ndarray:
        """By goal: how likely it is within the horizon after this act in these segments."""
        rng = np.random.default_rng(99)
        acts = rng.random((20_000, len(ACTS))) < np.array([row[2] for row in ACTS])
        acts[:, act] = True
        told = [chances(np.full(len(acts), segment), acts).mean(axis=0) for segment in segments]
        return np.mean(told, axis=0) * within_horizon()
