{#- a change joins or parts paths that end within the look-back before it; a day each for the hours
    of a visit and for the time zone -#}
{% set reach = var('attribution_look_back_days') | int + 2 -%}
{% set first_month = first_month_changed(reach) -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['month', 'from_state', 'to_state'],
    meta={'follows_changes': true},
    post_hook="{{ remember_changes() }}"
) }}
-- depends_on: {{ ref('int_visitor_identities') }}

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

    sessions_shortly_before as (

        select * from {{ ref('int_sessions_of_users') }}
        where
            session_date < date '{{ first_month }}'
            and session_date >= {{ dbt.dateadd('day', -reach, "date '" ~ first_month ~ "'") }}

    ),

    identities as (

        select * from {{ ref('int_visitor_identities') }}

    ),

    -- distinct: a user is looked up once
    users_seen_since as (

        select distinct user_key from recent_sessions

    ),

    -- distinct: a user is looked up once
    users_seen_shortly_before as (

        select distinct user_key from sessions_shortly_before

    ),

    -- nobody else's path goes on from before that month
    users_of_both as (

        select before.user_key

        from users_seen_shortly_before as before
        inner join users_seen_since as since on before.user_key = since.user_key

    ),

    -- their visitors, so that of all earlier sessions only these are looked up
    visitors_of_both as (

        select identities.visitor_key

        from identities
        inner join users_of_both on identities.user_key = users_of_both.user_key

        union all

        select users_of_both.user_key as visitor_key

        from users_of_both
        left join identities on users_of_both.user_key = identities.visitor_key
        where identities.visitor_key is null

    ),

    -- a path that ended before that month is as it was
    sessions as (

        select * from recent_sessions

        union all

        select earlier_sessions.*

        from earlier_sessions
        inner join visitors_of_both
            on earlier_sessions.visitor_key = visitors_of_both.visitor_key

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

-- a path ends with a macro-conversion, or when nothing more comes within the look-back
sessions_in_order as (

    select
        *,
        coalesce(
            lag(case when not converts then started_at end) over user_in_order >= {{ dbt.dateadd(
                'day', '-' ~ var('attribution_look_back_days'), 'started_at'
            ) }},
            false
        ) as goes_on,
        case
            when
                not converts
                and started_at >= {{ dbt.dateadd(
                    'day',
                    '-' ~ var('attribution_look_back_days'),
                    'lead(started_at) over user_in_order'
                ) }}
                then lead(channel_group) over user_in_order
        end as next_channel

    from sessions_with_ends
    window user_in_order as (partition by user_key order by started_at, session_key)

),

-- no more than is counted: what travels through the second window is narrow
steps_taken as (

    select
        user_key,
        started_at,
        session_key,
        goes_on,
        channel_group as from_state,
        coalesce(next_channel, case when converts then '(conversion)' else '(null)' end)
            as to_state,
        case when next_channel is null then session_date end as end_date

    from sessions_in_order

),

-- days follow the order of sessions, so the first end from here on is that of this path
steps_of_paths as (

    select
        goes_on,
        from_state,
        to_state,
        min(end_date) over (
            partition by user_key order by started_at, session_key
            rows between current row and unbounded following
        ) as ended_on

    from steps_taken

),

steps_of_months as (

    select
        cast({{ dbt.date_trunc('month', 'ended_on') }} as date) as month,
        goes_on,
        from_state,
        to_state,
        count(*) as steps

    from steps_of_paths
    {% if is_incremental() %}
        where ended_on >= date '{{ first_month }}'
    {% endif %}
    group by
        cast({{ dbt.date_trunc('month', 'ended_on') }} as date), goes_on, from_state, to_state

),

steps_counted as (

    select
        month,
        '(start)' as from_state,
        from_state as to_state,
        steps

    from steps_of_months
    where not goes_on

    union all

    select
        month,
        from_state,
        to_state,
        steps

    from steps_of_months

)

select
    month,
    from_state,
    to_state,
    cast(sum(steps) as bigint) as steps

from steps_counted
group by month, from_state, to_state

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
