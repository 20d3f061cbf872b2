{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('val_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

)

select
    sessions.session_key,
    sessions.visitor_key,
    sessions.started_at,
    coalesce(identities.user_key, sessions.visitor_key) as user_key,
    traffic_sources.intent_class,
    sessions.visitor_type,
    sessions.started_at >= {{ dbt.dateadd(
        'day', '-' ~ var('look_back_days'), version_moment()
    ) }} as is_in_look_back

from sessions
left join identities on sessions.visitor_key = identities.visitor_key
inner join traffic_sources
    on sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
where
    sessions.started_at < {{ version_moment() }}
    and sessions.started_at >= {{ dbt.dateadd(
        'day',
        '-' ~ (var('look_back_days') + var('attribution_look_back_days')),
        version_moment()
    ) }}
