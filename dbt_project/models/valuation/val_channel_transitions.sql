{#- a change joins or parts paths that end within the look-back before it; a day each for the hours
    of a visit and for the time zone -#}
{% set reach = var('attribution_look_back_days') | int + 2 -%}
{%- set look_back = '-' ~ var('attribution_look_back_days') -%}
{%- set user = 'user_key' -%}
{%- set number = 'session_number desc, ' if sessions_may_begin_together() else '' -%}
{%- set backwards = 'started_at desc, ' ~ number ~ 'session_key desc' -%}
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
        {{ 'sessions.session_number,' if sessions_may_begin_together() }}
        sessions.session_date,
        sessions.user_key,
        sessions.channel_group,
        converting_sessions.session_key is not null as converts

    from sessions
    left join converting_sessions on sessions.session_key = converting_sessions.session_key

),

-- sorted once, each user's last session first: all that follows reads the rows in this order
sessions_backwards as (

    select * from sessions_with_ends
    order by {{ user }}, {{ backwards }}

),

sessions_compared as (

    select
        *,
        {% for name, function in {
            'user_behind': 'lag(user_key)',
            'at_behind': 'lag(started_at)',
            'channel_behind': 'lag(channel_group)',
            'user_before': 'lead(user_key)',
            'at_before': 'lead(started_at)',
            'before_converts': 'lead(converts)'
        }.items() %}
            {{ in_sorted_rows(function, [user], backwards) }} as {{ name }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from sessions_backwards

),

-- a path ends with a macro-conversion, or when nothing more comes within the look-back
steps_taken as (

    select
        user_key,
        started_at,
        {{ 'session_number,' if sessions_may_begin_together() }}
        session_key,
        session_date,
        converts,
        channel_group,
        coalesce(
            user_before = user_key
            and not before_converts
            and at_before >= {{ dbt.dateadd('day', look_back, 'started_at') }}, false
        ) as goes_on,
        case
            when
                user_behind = user_key
                and not converts
                and started_at >= {{ dbt.dateadd('day', look_back, 'at_behind') }}
                then channel_behind
        end as next_channel

    from sessions_compared

),

-- a user's last session ends a path, so no end is that of the user behind
steps_of_paths as (

    select
        goes_on,
        channel_group as from_state,
        coalesce(next_channel, case when converts then '(conversion)' else '(null)' end)
            as to_state,
        {{ in_sorted_rows(
            last_known('case when next_channel is null then session_date end'),
            [user], backwards, so_far=true
        ) }} as ended_on

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
