{{ config(tags=['quarterly']) }}

with

sessions as (

    select
        session_key,
        started_at,
        ended_at,
        events

    from {{ ref('int_all_sessions') }}
    where started_at < {{ version_moment() }}

),

bot_sessions as (

    select * from {{ ref('int_bot_sessions') }}

),

session_events as (

    select
        session_key,
        occurred_at

    from {{ ref('int_session_events') }}
    where
        occurred_at < {{ version_moment() }}
        and occurred_at >= {{ days_before_version(longest_session_days()) }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

bot_rules as (

    select * from {{ ref('bot_rules') }}
    where kind = 'behaviour'

),

lowest_threshold as (

    select min(threshold) as events from bot_rules

),

-- only of these does the version date leave something out
busy_sessions_across as (

    select sessions.session_key

    from sessions
    inner join lowest_threshold on sessions.events > lowest_threshold.events
    where
        sessions.started_at >= {{ days_before_version(longest_session_days()) }}
        and sessions.ended_at >= {{ version_moment() }}

),

minutes as (

    select
        busy_sessions_across.session_key,
        date_trunc('minute', session_events.occurred_at) as minute,
        count(*) as events

    from busy_sessions_across
    inner join session_events
        on busy_sessions_across.session_key = session_events.session_key
    group by
        busy_sessions_across.session_key, date_trunc('minute', session_events.occurred_at)

),

measures as (

    select
        session_key,
        'events_per_session' as rule,
        sum(events) as measured

    from minutes
    group by session_key

    union all

    select
        session_key,
        'events_per_minute' as rule,
        max(events) as measured

    from minutes
    group by session_key

),

buyers as (

    -- distinct: one order is enough
    select distinct session_key from macro_conversions

),

bots_across as (

    select
        measures.session_key,
        min(bot_rules.rule) as bot_rule

    from measures
    inner join bot_rules
        on measures.rule = bot_rules.rule
        and measures.measured > bot_rules.threshold
    left join buyers on measures.session_key = buyers.session_key
    where buyers.session_key is null
    group by measures.session_key

)

select
    bot_sessions.session_key,
    bot_sessions.bot_rule

from bot_sessions
inner join sessions on bot_sessions.session_key = sessions.session_key
where sessions.ended_at < {{ version_moment() }}

union all

select
    session_key,
    bot_rule

from bots_across
