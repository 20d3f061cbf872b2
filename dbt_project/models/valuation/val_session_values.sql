{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': {'column': 'session_key', 'key': 'session_key'}},
    post_hook="{{ remember_changes() }}"
) }}

with

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

session_steps as (

    select * from {{ ref('val_session_steps') }}
    where {{ changed_since_last_build('session_key') }}

),

credits as (

    select * from {{ ref('int_session_credits') }}
    where {{ changed_since_last_build('session_key') }}

),

steps_of_sessions as (

    select
        session_key,
        sum(baseline_value) as baseline_value,
        sum(incremental_value) as incremental_value,
        sum(closing_value) as closing_value

    from session_steps
    group by session_key

),

credits_of_sessions as (

    select
        session_key,
        sum(credit) as attributed_revenue

    from credits
    group by session_key

)

select
    sessions.session_key,
    sessions.public_session_key,
    cast(coalesce(steps_of_sessions.baseline_value, 0) as decimal(18, 4)) as baseline_value,
    cast(coalesce(steps_of_sessions.incremental_value, 0) as decimal(18, 4)) as incremental_value,
    cast(coalesce(steps_of_sessions.closing_value, 0) as decimal(18, 4)) as closing_value,
    cast(coalesce(credits_of_sessions.attributed_revenue, 0) as decimal(18, 4))
        as attributed_revenue

from sessions
left join steps_of_sessions on sessions.session_key = steps_of_sessions.session_key
left join credits_of_sessions on sessions.session_key = credits_of_sessions.session_key
order by sessions.session_key
