{{ config(tags=['quarterly']) }}

with

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

sessions as (

    select * from {{ ref('int_all_sessions') }}
    where started_at < {{ version_moment() }}

),

bots_today as (

    select * from {{ ref('int_bot_sessions') }}

),

bots_then as (

    select * from {{ ref('val_bot_sessions') }}

),

start_rules as (

    select * from {{ ref('int_conversion_rules') }}
    where
        conversion_type = 'micro'
        and event_name = '(session)'
        and property = 'session_number'

),

-- today's floor below has no start of theirs
sessions_of_bots_since as (

    select
        sessions.session_key,
        sessions.visitor_key,
        sessions.started_at,
        cast(sessions.session_number as string) as compared

    from sessions
    inner join bots_today on sessions.session_key = bots_today.session_key
    left join bots_then on sessions.session_key = bots_then.session_key
    where bots_then.session_key is null

),

starts_of_bots_since as (

    select
        sessions_of_bots_since.*,
        start_rules.conversion,
        start_rules.operator,
        start_rules.threshold

    from sessions_of_bots_since
    cross join start_rules

)

select
    micro_conversions.session_key,
    micro_conversions.micro_conversion,
    micro_conversions.visitor_key,
    micro_conversions.occurred_at,
    micro_conversions.sequence,
    micro_conversions.event_number

from micro_conversions
left join bots_then on micro_conversions.session_key = bots_then.session_key
where coalesce(bots_then.bot_rule, '(none)') = '(none)'

union all

select
    session_key,
    conversion as micro_conversion,
    visitor_key,
    started_at as occurred_at,
    cast(-1 as bigint) as sequence,
    0 as event_number

from starts_of_bots_since
where {{ is_met('compared', 'operator', 'threshold') }}
