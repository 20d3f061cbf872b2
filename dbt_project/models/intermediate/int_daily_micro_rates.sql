{#- whose the sessions are is not counted here -#}
{% set besides = ['int_visitor_identities'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': {'column': 'date', 'key': 'session_date', 'besides': besides}},
    post_hook="{{ remember_changes() }}"
) }}

with

sessions as (

    select * from {{ ref('int_sessions_of_users') }}
    where {{ changed_since_last_build('session_date', 'session_date', besides) }}

),

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where occurred_at >= date '{{ first_date_changed(1, besides) }}'

),

micros as (

    select conversion as micro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

traffic as (

    select
        session_date as date,
        channel_group,
        count(*) as sessions

    from sessions
    group by session_date, channel_group

),

counted as (

    select
        sessions.session_date as date,
        sessions.channel_group,
        micro_conversions.micro_conversion,
        count(*) as conversions,
        sum(micro_conversions.occurrences) as occurrences

    from micro_conversions
    inner join sessions
        on micro_conversions.session_key = sessions.session_key
    group by
        sessions.session_date,
        sessions.channel_group,
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
