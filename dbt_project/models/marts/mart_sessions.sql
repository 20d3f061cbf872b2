{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    on_schema_change='fail',
    meta={'changed_by': {
        'column': 'session_key', 'key': 'public_session_key', 'dated_by': 'session_date'
    }},
    post_hook="{{ remember_changes() }}"
) }}

with

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

session_values as (

    select * from {{ ref('val_session_values') }}
    where {{ changed_since_last_build('session_key') }}

),

micros_of_sessions as (

    select
        session_key,
        sum(case when tier = 'soft' then counted_occurrences else 0 end) as soft_conversions,
        sum(case when tier = 'medium' then counted_occurrences else 0 end) as medium_conversions,
        sum(case when tier = 'hard' then counted_occurrences else 0 end) as hard_conversions,
        max(tier_rank) as deepest_tier_rank

    from micro_conversions
    group by session_key

),

macros_of_sessions as (

    select
        session_key,
        count(*) as macro_conversions,
        sum(value) as revenue

    from macro_conversions
    group by session_key

)

select
    sessions.public_session_key as session_key,
    sessions.visitor_id,
    {{ public_user_key('identities.user_key', 'sessions.visitor_id') }} as user_key,
    sessions.session_number,
    sessions.visitor_type,
    sessions.started_at,
    sessions.ended_at,
    sessions.session_date,
    sessions.source,
    sessions.medium,
    sessions.campaign,
    coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group,
    traffic_sources.intent_class,
    sessions.device_category,
    sessions.country,
    sessions.landing_page,
    cast(sessions.events as integer) as events,
    cast(sessions.page_views as integer) as page_views,
    {{ is_engaged(
        'sessions.started_at', 'sessions.ended_at', 'sessions.page_views',
        'macros_of_sessions.macro_conversions'
    ) }} as is_engaged,
    cast(coalesce(micros_of_sessions.soft_conversions, 0) as integer) as soft_conversions,
    cast(coalesce(micros_of_sessions.medium_conversions, 0) as integer) as medium_conversions,
    cast(coalesce(micros_of_sessions.hard_conversions, 0) as integer) as hard_conversions,
    cast(coalesce(macros_of_sessions.macro_conversions, 0) as integer) as macro_conversions,
    cast(coalesce(macros_of_sessions.revenue, 0) as decimal(18, 4)) as revenue,
    case
        when macros_of_sessions.macro_conversions > 0 then 'macro'
        when micros_of_sessions.deepest_tier_rank = 3 then 'hard'
        when micros_of_sessions.deepest_tier_rank = 2 then 'medium'
        when micros_of_sessions.deepest_tier_rank = 1 then 'soft'
        else 'none'
    end as deepest_tier,
    cast(
        session_values.baseline_value + session_values.incremental_value
        + session_values.closing_value as decimal(18, 4)
    ) as session_value,
    sessions.is_continuation

from sessions
left join identities on sessions.visitor_key = identities.visitor_key
inner join traffic_sources
    on sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
left join micros_of_sessions on sessions.session_key = micros_of_sessions.session_key
left join macros_of_sessions on sessions.session_key = macros_of_sessions.session_key
inner join session_values on sessions.session_key = session_values.session_key
order by sessions.session_key
