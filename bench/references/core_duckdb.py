"""The core in DuckDB, by hand: one scan of the wide rows, one sort, hashes instead of strings.

What makes it fast: user agents are judged once each; the scan leaves 64-bit numbers only; copies
are found among the keys alone, and only the few that came twice are looked at; after one sort by
visitor and time, visits are numbered by running sums over the whole table, which stream and need
no second sort; from there on the place in that order stands for the time, the sequence and the
visitor's history.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb

from bench.references import core


def compute(folder: Path, threads: int = 2, memory_limit: str = "80%") -> core.Core:
    """The core of the files below folder/generic."""
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {threads}; set memory_limit = '{memory_limit}'")
        # as profiles.yml has it
        connection.execute("set block_allocator_memory = '25%'")
        # by default below the folder in which one happens to stand
        connection.execute(f"set temp_directory = '{_quoted(str(folder))}/spill'")
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        return _compute(connection, _quoted(core.files_of(folder)))


def _compute(connection: duckdb.DuckDBPyConnection, files: str) -> core.Core:
    run = connection.execute

    agents = run(f"select distinct user_agent from read_parquet('{files}')").fetchall()
    bots = core.bots_among(agent for (agent,) in agents)
    not_a_bot = f"user_agent is null or user_agent not in ({_texts(bots)})" if bots else "true"

    run("set preserve_insertion_order = false")
    run(
        f"""
        create temp table accepted as
        select
            hash(event_id) as event_key,
            hash(visitor_id) as visitor_key,
            epoch_us(occurred_at) as moment,
            cast(sequence as bigint) as sequence,
            cast({_code()} as utinyint) as code,
            case when {_carries_source()} then hash({_source()}) end as source_key,
            case
                when event_name = '{core.MACRO}'
                    then hash(case when {_has_order_id()} then order_id else event_id end)
            end as order_key,
            case when event_name = '{core.MACRO}' then cast(round(value * 100) as bigint) end
                as value
        from read_parquet('{files}')
        where
            visitor_id is not null
            and occurred_at >= timestamp '{core.PROJECT_START}'
            and occurred_at <= now()::timestamp + interval 1 day
            and (
                consent_analytics is null
                or lower(consent_analytics) not in ({_texts(core.REFUSED_CONSENT)})
            )
            and ({not_a_bot})
        """
    )
    # the names behind the hashes, from the few different combinations
    run(
        f"""
        create temp table sources as
        select distinct hash(source) as source_key, source
        from (
            select distinct {_source()} as source
            from (
                select distinct source, medium, gclid is not null as has_click
                from read_parquet('{files}')
            ), lateral (select case when has_click then '' end as gclid)
        )
        union
        select hash('(direct)'), '(direct)'
        """
    )
    run(
        """
        create temp table repeated as
        select event_key from accepted group by event_key having count(*) > 1
        """
    )
    run("set preserve_insertion_order = true")
    run(
        """
        create temp table events as
        select * exclude (event_key)
        from (
            select * from accepted
            where event_key not in (select event_key from repeated)
            union all
            select distinct on (event_key) * from accepted
            where event_key in (select event_key from repeated)
        )
        order by visitor_key, moment, sequence
        """
    )
    (raw,) = run(f"select count(*) from read_parquet('{files}')").fetchone()
    (kept,) = run("select count(*) from accepted").fetchone()
    run("drop table accepted")

    # running sums without a partition stream through the sorted table
    run(
        f"""
        create temp table numbered as
        select
            row_number() over () as place,
            sum(cast(begins_visit as integer)) over (rows unbounded preceding) as visit,
            * exclude (begins_visit)
        from (
            select
                *,
                visitor_key is distinct from lag(visitor_key) over () as is_first_of_visitor,
                visitor_key is distinct from lag(visitor_key) over ()
                or moment - lag(moment) over () > {core.TIMEOUT_MICROSECONDS} as begins_visit
            from events
        )
        """
    )
    run("drop table events")
    run("set preserve_insertion_order = false")
    run(
        f"""
        create temp table sessions as
        select 0 as part, {_of_session()} from numbered group by visit
        """
    )
    run(
        f"""
        create temp table long_visits as
        select visit, started_at from sessions
        where ended_at - started_at >= {core.MAXIMUM_MICROSECONDS}
        """
    )
    run("delete from sessions where visit in (select visit from long_visits)")
    part = f"(numbered.moment - long_visits.started_at) // {core.MAXIMUM_MICROSECONDS}"
    run(
        f"""
        insert into sessions
        select part, {_of_session()}
        from (
            select numbered.*, {part} as part
            from numbered inner join long_visits on numbered.visit = long_visits.visit
        )
        group by visit, part
        """
    )
    run(
        """
        create temp table described as
        select
            sessions.* exclude (source_key),
            cast(make_timestamp(sessions.started_at) as date) as date,
            coalesce(sources.source, '(direct)') as source,
            case when sessions.is_first and sessions.part = 0 then 'new' else 'returning' end
                as visitor_type
        from sessions left join sources on sessions.source_key = sources.source_key
        """
    )
    # an order id that two visitors carry is the earlier one's, whoever sorts first
    run(
        f"""
        create temp table orders as
        select place, visit, visitor_key, moment, value
        from (
            select
                *,
                row_number() over (partition by order_key order by moment, sequence) as copy_number
            from numbered where code = {core.MACRO_CODE}
        )
        where copy_number = 1
        """
    )
    daily = run(
        f"""
        select
            date, source, visitor_type, count(*), sum(events),
            {", ".join(f"count(first_{code})" for code in _codes())},
            sum(orders), sum(value)
        from (
            select described.*, ordered.orders, ordered.value
            from described left join (
                select
                    described.visit, described.part, count(*) as orders, sum(orders.value) as value
                from orders asof inner join described
                    on orders.visit = described.visit and orders.moment >= described.started_at
                group by all
            ) as ordered on described.visit = ordered.visit and described.part = ordered.part
        )
        group by all
        """
    ).fetchall()
    run(
        f"""
        create temp table trials as
        {
            " union all ".join(
                f'''select
                    '{micro}' as micro, date, source, visitor_type, visitor_key,
                    first_{code} as moment, place_{code} as place
                from described where first_{code} is not null'''
                for code, micro in enumerate(core.MICROS, 1)
            )
        }
        """
    )
    firsts = run(
        """
        select date, micro, count(*), sum(moment - epoch_us(cast(date as timestamp)))
        from trials group by all
        """
    ).fetchall()
    rates = run(
        f"""
        select trials.micro, trials.source, trials.visitor_type, count(*),
            count(case when orders.moment <= trials.moment + {core.HORIZON_MICROSECONDS} then 1 end)
        from trials asof left join orders
            on trials.visitor_key = orders.visitor_key and trials.place < orders.place
        group by all
        """
    ).fetchall()
    events, sessions = run("select sum(events), count(*) from sessions").fetchone()
    (orders,) = run("select count(*) from orders").fetchone()
    totals = {
        "accepted": events,
        "duplicates": kept - events,
        "refused": raw - kept,
        "sessions": sessions,
        "orders": orders,
    }
    return core.core_of(totals, daily, firsts, rates)


def _codes() -> range:
    return range(1, len(core.MICROS) + 1)


def _code() -> str:
    whens = [f"when '{core.MACRO}' then {core.MACRO_CODE}"]
    for code, (name, member, threshold) in enumerate(core.MICROS.values(), 1):
        met = str(code)
        if member:
            number = f"try_cast(json_extract_string(properties, '$.{member}') as double)"
            met = f"case when {number} >= {threshold} then {code} else 0 end"
        whens.append(f"when '{name}' then {met}")
    return f"case event_name {' '.join(whens)} else 0 end"


def _known(column: str) -> str:
    unknown = _texts(core.UNKNOWN_TEXT)
    return f"case when lower(trim({column})) not in ({unknown}) then trim({column}) end"


def _carries_source() -> str:
    known = " or ".join(f"{_known(name)} is not null" for name in ("source", "medium", "campaign"))
    return f"({known} or gclid is not null)"


def _source() -> str:
    source, medium = _known("source"), _known("medium")
    return f"""case
        when gclid is not null and ({source} is null or lower({medium}) = 'organic') then 'google'
        else coalesce({source}, '(direct)')
    end"""


def _has_order_id() -> str:
    return f"lower(trim(order_id)) not in ({_texts(core.NO_ORDER_ID)})"


def _of_session() -> str:
    firsts = ", ".join(
        f"min(moment) filter (code = {code}) as first_{code}, "
        f"min(place) filter (code = {code}) as place_{code}"
        for code in _codes()
    )
    return f"""
        visit,
        any_value(visitor_key) as visitor_key,
        min(moment) as started_at,
        max(moment) as ended_at,
        count(*) as events,
        bool_or(is_first_of_visitor) as is_first,
        arg_min(source_key, place) filter (source_key is not null) as source_key,
        {firsts}
    """


def _texts(values: Iterable[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _quoted(path: str) -> str:
    return path.replace("'", "''")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.references.core_duckdb")
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="80%")
    arguments = parser.parse_args()
    result = compute(arguments.folder, arguments.threads, arguments.memory_limit)
    core.write(result, arguments.result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
