{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key='session_key',
    meta={'notes_changes': true, 'speaks_of': ['session_key'], 'and_of_later_ones': true}
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

all_sessions as (

    select * from {{ ref('int_all_sessions') }}

),

session_events as (

    select * from {{ ref('int_session_events') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

bot_rules as (

    select * from {{ ref('bot_rules') }}
    where kind = 'behaviour'

),

lowest_threshold as (

    select min(threshold) as events from bot_rules

),

-- a session with no more events than that can break no rule: so only few are looked at
busy_sessions as (

    select
        all_sessions.session_key,
        all_sessions.events

    from all_sessions
    inner join lowest_threshold on all_sessions.events > lowest_threshold.events

),

minutes as (

    select
        busy_sessions.session_key,
        date_trunc('minute', session_events.occurred_at) as minute,
        count(*) as events

    from busy_sessions
    inner join session_events on busy_sessions.session_key = session_events.session_key
    group by busy_sessions.session_key, date_trunc('minute', session_events.occurred_at)

),

measures as (

    select
        session_key,
        'events_per_session' as rule,
        events as measured

    from busy_sessions

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

)

-- who buys is a customer, however fast
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
