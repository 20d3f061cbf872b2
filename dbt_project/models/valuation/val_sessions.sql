{%- set longest_session_days =
    (var('session_maximum_hours') | int / 24) | round(0, 'ceil') | int -%}
{%- set settled_days = [var('attribution_look_back_days') | int, longest_session_days] | max -%}
{%- set half_of_the_history -%}
    cast({{ seconds_between('min(started_at)', version_moment()) }} / 2 as bigint)
{%- endset -%}
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

),

-- a session is settled when its credit is, and when it has ended before the version date. A history
-- too short for that is halved: some time to convert for some sessions, rather than no session
settling as (

    select
        least(
            greatest(
                {{ days_before_version(settled_days) }},
                {{ dbt.dateadd('second', half_of_the_history, 'min(started_at)') }}
            ),
            {{ days_before_version(longest_session_days) }}
        ) as settled_until

    from sessions
    where started_at < {{ version_moment() }}

)

-- what gave the source only after the version date is not known yet. Read is also who shares the
-- credit of a macro with a settled session: what the look-back reaches, and the macro's own session
select
    sessions.session_key,
    sessions.visitor_key,
    sessions.started_at,
    coalesce(identities.user_key, sessions.visitor_key) as user_key,
    case
        when sessions.sourced_at >= {{ version_moment() }} then 'direct'
        else traffic_sources.intent_class
    end as intent_class,
    sessions.visitor_type,
    sessions.started_at >= {{ days_before_version(var('look_back_days')) }} as is_in_look_back,
    sessions.started_at < settling.settled_until
    and sessions.started_at >= {{ days_before_version(
        var('look_back_days') | int + settled_days
    ) }} as is_settled

from sessions
cross join settling
left join identities on sessions.visitor_key = identities.visitor_key
inner join traffic_sources
    on
    sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
where
    sessions.started_at < {{ version_moment() }}
    and sessions.started_at >= {{ days_before_version(
        var('look_back_days') | int + settled_days + settled_days
    ) }}
