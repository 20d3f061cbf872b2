"""The core as the project has it: summed from the tables of a built home.

Belongs here: the queries on the warehouse, by the public columns of its models. They count what the
models have decided and decide nothing themselves: copies, sessions, sources, first times and orders
are the project's own. Only the success of a trial is looked up here, since the project's own trials
belong to a value version and to users, not to all days and visitors.
"""

from pathlib import Path

import duckdb

from bench.references import core


def compute(home: Path, threads: int = 2, memory_limit: str = "80%") -> core.Core:
    """The core of a home's warehouse, which nobody may be writing to."""
    warehouse = home / "warehouse" / "intent_map.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute(f"set threads = {threads}; set memory_limit = '{memory_limit}'")
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        return _compute(connection)


def _compute(connection: duckdb.DuckDBPyConnection) -> core.Core:
    run = connection.execute
    micros = ", ".join(f"'{micro}'" for micro in core.MICROS)
    run(
        """
        create temp view visits as
        select
            session_key, visitor_key, started_at, cast(started_at as date) as date, source,
            visitor_type, events
        from intermediate.int_sessions
        """
    )
    run(
        f"""
        create temp view orders as
        select session_key, visitor_key, occurred_at, sequence, event_number, value
        from intermediate.int_macro_conversions
        where macro_conversion = '{core.MACRO}'
        """
    )
    run(
        f"""
        create temp table trials as
        select
            micros.session_key, micros.visitor_key, micros.micro_conversion as micro,
            micros.occurred_at, micros.sequence, micros.event_number,
            visits.date, visits.source, visits.visitor_type
        from intermediate.int_micro_conversions as micros
        inner join visits on micros.session_key = visits.session_key
        where micros.micro_conversion in ({micros})
        """
    )
    counts = ", ".join(
        f"count(case when micro = '{micro}' then 1 end) as first_{code}"
        for code, micro in enumerate(core.MICROS, 1)
    )
    sums = ", ".join(f"sum(first_{code})" for code in range(1, len(core.MICROS) + 1))
    daily = run(
        f"""
        select
            visits.date, visits.source, visits.visitor_type, count(*), sum(visits.events), {sums},
            sum(ordered.orders), sum(ordered.value)
        from visits
        left join (select session_key, {counts} from trials group by session_key) as met
            on visits.session_key = met.session_key
        left join (
            select session_key, count(*) as orders, sum(cast(round(value * 100) as bigint)) as value
            from orders group by session_key
        ) as ordered on visits.session_key = ordered.session_key
        group by all
        """
    ).fetchall()
    firsts = run(
        """
        select
            date, micro, count(*),
            sum(epoch_us(occurred_at) - epoch_us(cast(date as timestamp)))
        from trials group by all
        """
    ).fetchall()
    # an order at the moment of the trial is later only by its place in the visit
    rates = run(
        f"""
        select micro, source, visitor_type, count(*), count(next_at)
        from (
            select
                trials.session_key, trials.micro, trials.source, trials.visitor_type,
                min(orders.occurred_at) as next_at
            from trials left join orders
                on trials.visitor_key = orders.visitor_key
                and (orders.occurred_at, orders.sequence, orders.event_number)
                > (trials.occurred_at, trials.sequence, trials.event_number)
                and orders.occurred_at
                <= trials.occurred_at + to_microseconds({core.HORIZON_MICROSECONDS})
            group by all
        )
        group by all
        """
    ).fetchall()
    ((raw,),) = run(
        "select sum(row_count) from raw.loads where source = 'generic' and status = 'landed'"
    ).fetchall()
    ((refused,),) = run("select count(*) from intermediate.int_events_rejected").fetchall()
    ((events, sessions),) = run("select sum(events), count(*) from visits").fetchall()
    ((orders,),) = run("select count(*) from orders").fetchall()
    totals = {
        "accepted": events,
        "duplicates": raw - refused - events,
        "refused": refused,
        "sessions": sessions,
        "orders": orders,
    }
    return core.core_of(totals, daily, firsts, rates)
