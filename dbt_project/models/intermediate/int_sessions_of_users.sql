{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

)

select
    sessions.session_key,
    sessions.visitor_key,
    coalesce(identities.user_key, sessions.visitor_key) as user_key,
    sessions.session_number,
    sessions.started_at,
    sessions.session_date,
    coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group,
    sessions.campaign

from sessions
left join identities on sessions.visitor_key = identities.visitor_key
inner join traffic_sources
    on sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
