{#- a change joins or parts paths that end within the look-back before it; a day each for the hours
    of a visit and for the time zone -#}
{% set first_month = first_month_changed(var('attribution_look_back_days') | int + 2) -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['month', 'from_state', 'to_state'],
    meta={'follows_changes': true},
    post_hook="{{ remember_changes() }}"
) }}

with

{% if is_incremental() %}

    recent_sessions as (

        select * from {{ ref('int_sessions_of_users') }}
        where session_date >= date '{{ first_month }}'

    ),

    earlier_sessions as (

        select * from {{ ref('int_sessions_of_users') }}
        where session_date < date '{{ first_month }}'

    ),

    -- distinct: a user is looked up once
    users_seen_since as (

        select distinct user_key from recent_sessions

    ),

    -- a path that ended before that month is as it was
    sessions as (

        select * from recent_sessions

        union all

        select earlier_sessions.*

        from earlier_sessions
        inner join users_seen_since on earlier_sessions.user_key = users_seen_since.user_key

    ),

{% else %}

    sessions as (

        select * from {{ ref('int_sessions_of_users') }}

    ),

{% endif %}

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

-- distinct: a session with two orders ends one path
converting_sessions as (

    select distinct session_key from macro_conversions

),

sessions_with_ends as (

    select
        sessions.session_key,
        sessions.started_at,
        sessions.session_date,
        sessions.user_key,
        sessions.channel_group,
        converting_sessions.session_key is not null as converts

    from sessions
    left join converting_sessions on sessions.session_key = converting_sessions.session_key

),

sessions_in_order as (

    select
        *,
        lag(started_at) over user_in_order as previous_at,
        lag(converts) over user_in_order as previous_converts,
        lead(started_at) over user_in_order as next_at,
        lead(channel_group) over user_in_order as next_channel

    from sessions_with_ends
    window user_in_order as (partition by user_key order by started_at, session_key)

),

-- a path ends with a macro-conversion, or when nothing more comes within the look-back
ends_marked as (

    select
        *,
        previous_at is null
        or previous_converts
        or previous_at < {{ dbt.dateadd(
            'day', '-' ~ var('attribution_look_back_days'), 'started_at'
        ) }} as is_first,
        next_at is null
        or converts
        or started_at < {{ dbt.dateadd(
            'day', '-' ~ var('attribution_look_back_days'), 'next_at'
        ) }} as is_last

    from sessions_in_order

),

-- days follow the order of sessions, so the first end from here on is that of this path
touches_of_paths as (

    select
        *,
        min(case when is_last then session_date end) over (
            partition by user_key order by started_at, session_key
            rows between current row and unbounded following
        ) as ended_on

    from ends_marked

),

steps as (

    select
        ended_on,
        '(start)' as from_state,
        channel_group as to_state

    from touches_of_paths
    where is_first

    union all

    select
        ended_on,
        channel_group as from_state,
        case
            when not is_last then next_channel
            when converts then '(conversion)'
            else '(null)'
        end as to_state

    from touches_of_paths

)

select
    cast({{ dbt.date_trunc('month', 'ended_on') }} as date) as month,
    from_state,
    to_state,
    count(*) as steps

from steps
{% if is_incremental() %}
    where ended_on >= date '{{ first_month }}'
{% endif %}
group by cast({{ dbt.date_trunc('month', 'ended_on') }} as date), from_state, to_state

{% if is_incremental() %}
    union all

    select
        month,
        from_state,
        to_state,
        steps

    from {{ this }}
    where month < date '{{ first_month }}'
{% endif %}
