{% set of_changed_days = {'column': 'date', 'key': 'session_date'} -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': of_changed_days},
    post_hook="{{ remember_changes() }}"
) }}

with

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_date', 'session_date') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}

),

micros as (

    select conversion as micro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

sessions_of_channels as (

    select
        sessions.session_key,
        sessions.session_date as date,
        coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group

    from sessions
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign

),

traffic as (

    select
        date,
        channel_group,
        count(*) as sessions

    from sessions_of_channels
    group by date, channel_group

),

counted as (

    select
        sessions_of_channels.date,
        sessions_of_channels.channel_group,
        micro_conversions.micro_conversion,
        count(*) as conversions,
        sum(micro_conversions.occurrences) as occurrences

    from micro_conversions
    inner join sessions_of_channels
        on micro_conversions.session_key = sessions_of_channels.session_key
    group by
        sessions_of_channels.date,
        sessions_of_channels.channel_group,
        micro_conversions.micro_conversion

)

-- a micro-conversion that nobody met on a day has its row too: so a stopped tag shows
select
    traffic.date,
    traffic.channel_group,
    micros.micro_conversion,
    traffic.sessions,
    coalesce(counted.conversions, 0) as conversions,
    coalesce(counted.occurrences, 0) as occurrences

from traffic
cross join micros
left join counted
    on traffic.date = counted.date
    and traffic.channel_group = counted.channel_group
    and micros.micro_conversion = counted.micro_conversion
