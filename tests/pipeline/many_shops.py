"""Many simulated shops valued fast: the compiled SQL of the valuation on rows made by numpy.

A seed costs seconds, not a home: sessions, micro- and macro-conversions are written as the floors
below would leave them, and only the models above run, in memory. The truth of a segment is
measured on people of its own, followed until no trial can still succeed.
Belongs here: making the rows, running the models, measuring the truth. Does not belong here: what
the values must come up to (test_known_truth.py).
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from pipeline.homes import Home

from orchestration import dbt_runner
from orchestration.settings import PROJECT_ROOT
from orchestration.simulation import catalogue as c
from orchestration.simulation.behaviour import Sessions, simulate_sessions
from orchestration.simulation.events import Events, play
from orchestration.simulation.traffic import Traffic, draw_arrivals, plan_traffic
from orchestration.simulation.truth import _QUALIFIED, Measurement, _first_moments

HORIZON = timedelta(days=30)
SCHEMAS = ("seeds", "staging", "intermediate", "valuation", "marts")
SEEDS = (
    *("micro_conversions", "macro_conversions", "intent_rules", "funnels"),
    "free_mail_domains",
)
# written from numpy; everything else that is wanted is run
GIVEN = (
    *("int_sessions", "int_traffic_sources", "int_logins", "int_visitor_identities"),
    *("int_micro_conversions", "int_macro_conversions"),
    *("int_all_sessions", "int_order_events", "int_currency_rates", "stg_orders__orders"),
    *("int_bot_sessions", "val_bot_sessions"),
    # only the notes that follow from a version ask for these
    *("int_daily_refunds", "int_daily_spend"),
)
PURCHASE_COUNT_CHUNK = 60_000
# every session is a person's
NO_BOTS = """
    create view intermediate.int_all_sessions as from intermediate.int_sessions;
    create table intermediate.int_bot_sessions (session_key bigint, bot_rule varchar);
    create table valuation.val_bot_sessions (session_key bigint, bot_rule varchar);
"""


@dataclass(frozen=True)
class Model:
    """A compiled model. sql: None for one in Python; columns: of a kept table, name and type."""

    name: str
    relation: str
    sql: str | None
    path: Path
    config: Mapping[str, Any]
    columns: Mapping[str, str]
    needs: frozenset[str]


def needed_for(models: Sequence[Model], *wanted: str) -> list[Model]:
    """Those of the models that the wanted ones are made of, themselves included, in order."""
    by_name = {model.name: model for model in models}
    needed, left = set(), [*wanted]
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += by_name[name].needs
    return [model for model in models if model.name in needed]


def compile_models(home: Home, version_date: date, wanted: Sequence[str]) -> list[Model]:
    """The wanted models and those that they need down to the given ones, in order."""
    args = dbt_runner.quarterly_args(home.settings, version_date)
    args = ["compile", *args[1 : args.index("--no-write-json")], *_vars_of(args)]
    home.take_up()
    for _ in dbt_runner.run_dbt(home.settings, [*args, "--select", "resource_type:model"]):
        pass
    manifest = dbt_runner.target_path(home.settings, "quarterly") / "manifest.json"
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    models = {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}
    needs: dict[str, set[str]] = {}
    open_names = list(wanted)
    while open_names:
        name = open_names.pop()
        if name in needs or name in GIVEN:
            continue
        parents = {
            nodes[key]["name"] for key in models[name]["depends_on"]["nodes"] if key in nodes
        }
        needs[name] = parents - {*GIVEN, *SEEDS}
        open_names += needs[name]
    return [
        _model(models[name], frozenset(needs[name]))
        for name in TopologicalSorter(needs).static_order()
    ]


def _vars_of(args: Sequence[str]) -> list[str]:
    return list(args[args.index("--vars") : args.index("--vars") + 2])


def _model(node: Mapping[str, Any], needs: frozenset[str]) -> Model:
    is_kept = node["config"]["meta"].get("is_kept")
    return Model(
        name=node["name"],
        relation=f"{node['schema']}.{node['name']}",
        sql=node["compiled_code"] if node["language"] == "sql" else None,
        path=PROJECT_ROOT / "dbt_project" / node["original_file_path"],
        config=node["config"],
        columns={
            column["name"]: column["data_type"] for column in node["columns"].values() if is_kept
        },
        needs=needs,
    )


@dataclass(frozen=True)
class Plan:
    """When the shop is open: `history` days before the version date, `future` days after it.

    times_as_many: by medium of the campaign, how often as many people come as otherwise would.
    """

    version_date: date
    history: int = 200
    future: int = 0
    times_as_many: Mapping[str | None, float] = field(default_factory=dict)

    @property
    def traffic(self) -> Traffic:
        days = self.history + self.future
        traffic = plan_traffic(
            self.version_date - timedelta(days=self.history), days, np.random.default_rng(1)
        )
        times = [self.times_as_many.get(campaign.medium, 1) for campaign in c.CAMPAIGNS]
        arrivals = traffic.arrival_shares.reshape(days, -1) * times
        return replace(traffic, arrival_shares=(arrivals / arrivals.sum()).ravel())

    @property
    def moment(self) -> int:
        """Microseconds of the version date."""
        return _microseconds(self.version_date)


def _microseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * c.SECOND


def people_of(
    traffic: Traffic, people: int, until: int, *seed: int
) -> list[tuple[Sessions, Events]]:
    """Sessions and events of so many people, a bounded number at a time."""
    arrivals = draw_arrivals(traffic, people, np.random.default_rng(seed))
    parts = []
    for first in range(0, people, PURCHASE_COUNT_CHUNK):
        rng = np.random.default_rng([*seed, first + 1])
        sessions = simulate_sessions(
            traffic,
            arrivals,
            np.arange(first, min(first + PURCHASE_COUNT_CHUNK, people)),
            until=until,
            ga4_share=0.0,
            heavy_users=False,
            rng=rng,
        )
        parts.append((sessions, play(sessions, rng)))
    return parts


class Shop:
    """One shop in memory: its rows, then whatever the models make of them."""

    def __init__(
        self,
        plan: Plan,
        people: int,
        seed: int,
        since: date | None = None,
        file: Path | None = None,
    ) -> None:
        """since: sessions before that day are left out, as if the shop had just opened. file: the
        rows of a large shop lie there and not in memory."""
        self.connection = duckdb.connect()
        # the compiled SQL names the warehouse
        self.connection.execute(f"attach '{file or ':memory:'}' as intent_map; use intent_map")
        if file:
            self.connection.execute(
                f"set memory_limit = '4GB'; set temp_directory = '{file}.spill'; "
                "set preserve_insertion_order = false"
            )
        self.connection.execute("set threads = 2; set timezone = 'UTC'")
        for schema in SCHEMAS:
            self.connection.execute(f"create schema {schema}")
        for seed_name in SEEDS:
            path = PROJECT_ROOT / "seeds" / f"{seed_name}.csv"
            self.connection.execute(
                f"create table seeds.{seed_name} as from read_csv('{path}', all_varchar = true)"
            )
        self._typed_seeds()
        traffic = plan.traffic
        until = traffic.end_time + int(HORIZON.total_seconds()) * c.SECOND
        after = _microseconds(since) if since else 0
        self._make_tables()
        for part, (sessions, events) in enumerate(people_of(traffic, people, until, seed, 2)):
            self._add(sessions, events, part, after)
        self._describe()

    def query(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def run(self, models: Sequence[Model]) -> None:
        for model in models:
            columns = ", ".join(f"{name} {kind}" for name, kind in model.columns.items())
            if columns:
                self.connection.execute(f"create table if not exists {model.relation} ({columns})")
        for model in models:
            if model.columns:
                self.connection.execute(f"insert into {model.relation} by name {model.sql}")
            elif model.sql is not None:
                self.connection.execute(f"create or replace table {model.relation} as {model.sql}")
            else:
                self._run_python(model)

    def _run_python(self, model: Model) -> None:
        spec = importlib.util.spec_from_file_location(model.name, model.path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        connection = self.connection

        class Context:
            class config:  # noqa: N801  (dbt's own spelling)
                def __init__(self, **_: Any) -> None:
                    pass

                @staticmethod
                def get(name: str) -> Any:
                    return model.config[name]

            @staticmethod
            def ref(name: str) -> Any:
                return connection.query(f"select * from valuation.{name}")

        result = module.model(Context, connection)
        result.create(model.relation)

    def _typed_seeds(self) -> None:
        self.connection.execute(
            """
            alter table seeds.micro_conversions alter is_enabled type boolean;
            alter table seeds.macro_conversions alter is_enabled type boolean;
            """
        )

    def _make_tables(self) -> None:
        # no order here is ever restated
        self.connection.execute(
            """
            create table staging.stg_orders__orders (
                order_id varchar, load_id bigint, row_number bigint, landed_at timestamp,
                value decimal(18, 4), currency varchar
            );
            create table intermediate.int_order_events (
                event_key bigint, value decimal(18, 4), currency varchar
            );
            create table intermediate.int_currency_rates (
                currency varchar, valid_from date, valid_to date, rate double
            );
            create table intermediate.numbered_sessions (
                session_key bigint, person bigint, visitor_key bigint, number integer,
                campaign integer, segment integer, started_at timestamp, ended_at timestamp
            );
            create table intermediate.numbered_moments (
                session_key bigint, micro integer, sequence integer, occurred_at timestamp
            );
            create table intermediate.numbered_orders (
                session_key bigint, sequence integer, occurred_at timestamp, amount double
            );
            """
        )

    def _add(self, sessions: Sessions, events: Events, part: int, after: int) -> None:
        base = part * 10_000_000
        last = np.flatnonzero(np.r_[events.session[1:] != events.session[:-1], True])
        kept = sessions.start >= after
        rows = {
            "session_key": np.arange(len(sessions), dtype=np.int64) + base,
            "person": sessions.person.astype(np.int64),
            "visitor_key": sessions.visitor.astype(np.int64) * 2 + 1,
            "number": sessions.number,
            "campaign": sessions.campaign.astype(np.int32),
            "segment": sessions.segment.astype(np.int32),
            "started_at": sessions.start.astype("datetime64[us]"),
            "ended_at": events.time[last].astype("datetime64[us]"),
        }
        self._insert("numbered_sessions", {name: values[kept] for name, values in rows.items()})
        for micro in _QUALIFIED:
            self._insert_moments(events, _first_moments(events, micro), base, kept, micro)
        orders = np.flatnonzero(events.code == c.PURCHASE)
        orders = orders[kept[events.session[orders]]]
        self._insert(
            "numbered_orders",
            {
                "session_key": events.session[orders].astype(np.int64) + base,
                "sequence": events.sequence[orders],
                "occurred_at": events.time[orders].astype("datetime64[us]"),
                "amount": events.amount[orders],
            },
        )

    def _insert_moments(
        self, events: Events, moments: np.ndarray, base: int, kept: np.ndarray, micro: int
    ) -> None:
        moments = moments[kept[events.session[moments]]]
        self._insert(
            "numbered_moments",
            {
                "session_key": events.session[moments].astype(np.int64) + base,
                "micro": np.full(len(moments), micro, np.int32),
                "sequence": events.sequence[moments],
                "occurred_at": events.time[moments].astype("datetime64[us]"),
            },
        )

    def _insert(self, table: str, rows: dict[str, np.ndarray]) -> None:
        self.connection.register("rows_added", rows)
        self.connection.execute(
            f"insert into intermediate.{table} by name select * from rows_added"
        )
        self.connection.unregister("rows_added")

    def _describe(self) -> None:
        """The tables of the floor below, as far as the models above read them."""
        channels = {
            "paid_social": "Paid Social",
            "social": "Organic Social",
            "cpc": "Paid Search",
            "organic": "Organic Search",
            "email": "Email",
            "referral": "Referral",
            "display": "Display",
        }
        names = {
            "campaign_number": np.arange(len(c.CAMPAIGNS)),
            "source": np.array([campaign.source or "(direct)" for campaign in c.CAMPAIGNS]),
            "medium": np.array([campaign.medium or "(none)" for campaign in c.CAMPAIGNS]),
            "campaign": np.array([campaign.name or "(not set)" for campaign in c.CAMPAIGNS]),
            "channel_group": np.array([channels.get(x.medium, "Direct") for x in c.CAMPAIGNS]),
            "intent_class": np.array([c.INTENT_CLASSES[x.intent] for x in c.CAMPAIGNS]),
        }
        micros = {"micro": np.arange(len(c.MICROS)), "micro_conversion": np.array(c.MICROS)}
        self.connection.register("campaign_names", names)
        self.connection.register("micro_names", micros)
        self.connection.execute(
            """
            create table intermediate.int_traffic_sources as
            select source, medium, campaign, channel_group, intent_class from campaign_names;

            create table intermediate.int_sessions as
            select
                session_key, session_key as public_session_key,
                cast(visitor_key as varchar) as visitor_id, visitor_key,
                number as session_number,
                case when number = 1 then 'new' else 'returning' end as visitor_type,
                started_at, ended_at, cast(started_at as date) as session_date,
                source, medium, campaign_names.campaign as campaign,
                cast(null as varchar) as source_channel_group,
                started_at as sourced_at, 'mobile' as device_category, 'Austria' as country,
                cast(null as varchar) as landing_page, 1 as events, 1 as page_views,
                false as is_continuation
            from intermediate.numbered_sessions as sessions
            join campaign_names on sessions.campaign = campaign_names.campaign_number;

            -- who has two devices is one user by the logins on both
            create table intermediate.int_logins as
            select
                visitor_key, person * 2 as user_key, started_at as occurred_at,
                cast(0 as bigint) as sequence, cast(person as varchar) as user_id
            from intermediate.numbered_sessions
            where person in (
                select person from intermediate.numbered_sessions
                group by person having count(distinct visitor_key) > 1
            );

            create table intermediate.int_visitor_identities as
            select distinct visitor_key, cast(user_key as varchar) as user_id, user_key
            from intermediate.int_logins;

            create table intermediate.int_micro_conversions as
            select
                session_key, micro_conversion, visitor_key, tier,
                cast(case tier when 'soft' then 1 when 'medium' then 2 else 3 end as integer)
                    as tier_rank,
                phase, kind, cast(weight as double) as weight,
                cast(md5_number(micro_conversion) & cast(9007199254740991 as uhugeint) as bigint)
                    as state_item_key,
                moments.occurred_at, cast(sequence as bigint) as sequence,
                cast(sequence as varchar) as event_id, cast(sequence as bigint) as event_number,
                1 as occurrences, 1 as counted_occurrences
            from intermediate.numbered_moments as moments
            join micro_names using (micro)
            join seeds.micro_conversions using (micro_conversion)
            join intermediate.int_sessions using (session_key)
            where starter_pack = 'ecommerce';

            create table intermediate.int_macro_conversions as
            select
                row_number() over (order by orders.occurred_at, session_key) as event_key,
                'purchase' as macro_conversion, cast(sequence as varchar) as event_id,
                cast(event_key as varchar) as order_id, sessions.visitor_key,
                coalesce(identities.user_key, sessions.visitor_key) as user_key, session_key,
                cast(md5_number('macro:purchase') & cast(9007199254740991 as uhugeint) as bigint)
                    as state_item_key,
                orders.occurred_at, cast(sequence as bigint) as sequence,
                cast(sequence as bigint) as event_number,
                cast(amount as decimal(18, 4)) as value, 'orders' as value_source
            from intermediate.numbered_orders as orders
            join intermediate.int_sessions as sessions using (session_key)
            left join intermediate.int_visitor_identities as identities using (visitor_key);
            """
        )
        self.connection.execute(NO_BOTS)


@dataclass(frozen=True)
class Truth:
    """(micro, intent class, visitor type) → trials, successes, of people outside any shop."""

    cells: Mapping[tuple[str, str, str], tuple[int, int]]

    def probability(self, micro: str, intent: str, visitor_type: str) -> float:
        trials, successes = self.cells[micro, intent, visitor_type]
        return successes / trials


def measure_truth(
    plan: Plan, people: int, look_back_days: int, seed: Sequence[int] = (0, 3)
) -> Truth:
    """Trials of the look-back, each followed to the end of its horizon.

    With the seed (n, 2) those of the people of shop n, else of people of their own.
    """
    traffic = plan.traffic
    first = plan.moment - look_back_days * c.DAY
    whole, before = Measurement(plan.moment), Measurement(first)
    until = plan.moment + int(HORIZON.total_seconds()) * c.SECOND
    for sessions, events in people_of(traffic, people, until, *seed):
        whole.add(sessions, events)
        before.add(sessions, events)
    trials = whole.trials - before.trials
    successes = whole.successes - before.successes
    cells = {}
    for row, micro in enumerate((*c.MICROS, "(session)")):
        for segment in range(c.SEGMENTS):
            intent, visitor_type = c.segment_name(segment)
            for group in (
                (intent, visitor_type),
                (intent, "(all)"),
                ("(all)", "(all)"),
            ):
                held = cells.get((micro, *group), (0, 0))
                cells[micro, *group] = (
                    held[0] + int(trials[row, segment]),
                    held[1] + int(successes[row, segment]),
                )
    return Truth(cells)
