{#- whose the sessions are, and what they are credited with, is not counted here -#}
{% set besides = ['int_visitor_identities', 'int_session_credits'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    on_schema_change='fail',
    meta={'changed_by': {'column': 'date', 'key': 'session_date', 'besides': besides}},
    post_hook="{{ remember_changes() }}"
) }}

with

sessions as (

    select * from {{ ref('mart_sessions') }}
    where {{ changed_since_last_build('session_date', 'session_date', besides) }}

),

int_sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_date', 'session_date', besides) }}

),

stages as (

    select * from {{ ref('int_session_stages') }}

),

spend as (

    select * from {{ ref('int_daily_spend') }}
    where {{ changed_since_last_build('spend_date', 'session_date', besides) }}

),

stages_by_public_key as (

    select
        int_sessions.public_session_key,
        stages.*

    from stages
    inner join int_sessions on stages.session_key = int_sessions.session_key

),

-- sessions and spend stand side by side as rows, so neither needs the other to be there
rows_of_sessions as (

    select
        sessions.session_date as date,
        sessions.channel_group,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.visitor_type,
        sessions.device_category,
        0 as impressions,
        0 as clicks,
        1 as sessions,
        case when sessions.is_engaged then 1 else 0 end as engaged_sessions,
        case when stages.has_soft then 1 else 0 end as soft_sessions,
        case when stages.has_medium then 1 else 0 end as medium_sessions,
        case when stages.has_hard then 1 else 0 end as hard_sessions,
        case when stages.has_macro then 1 else 0 end as macro_sessions,
        case when stages.reached_soft then 1 else 0 end as reached_soft,
        case when stages.reached_medium then 1 else 0 end as reached_medium,
        case when stages.reached_hard then 1 else 0 end as reached_hard,
        case when stages.reached_macro then 1 else 0 end as reached_macro

    from sessions
    inner join stages_by_public_key as stages
        on sessions.session_key = stages.public_session_key

),

rows_of_spend as (

    select
        spend_date as date,
        channel_group,
        source,
        medium,
        campaign,
        '(none)' as visitor_type,
        '(none)' as device_category,
        impressions,
        clicks,
        0 as sessions,
        0 as engaged_sessions,
        0 as soft_sessions,
        0 as medium_sessions,
        0 as hard_sessions,
        0 as macro_sessions,
        0 as reached_soft,
        0 as reached_medium,
        0 as reached_hard,
        0 as reached_macro

    from spend

),

all_rows as (

    select * from rows_of_sessions

    union all

    select * from rows_of_spend

)

select
    date,
    channel_group,
    source,
    medium,
    campaign,
    visitor_type,
    device_category,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(sessions) as bigint) as sessions,
    cast(sum(engaged_sessions) as bigint) as engaged_sessions,
    cast(sum(soft_sessions) as bigint) as soft_sessions,
    cast(sum(medium_sessions) as bigint) as medium_sessions,
    cast(sum(hard_sessions) as bigint) as hard_sessions,
    cast(sum(macro_sessions) as bigint) as macro_sessions,
    cast(sum(reached_soft) as bigint) as reached_soft,
    cast(sum(reached_medium) as bigint) as reached_medium,
    cast(sum(reached_hard) as bigint) as reached_hard,
    cast(sum(reached_macro) as bigint) as reached_macro

from all_rows
group by date, channel_group, source, medium, campaign, visitor_type, device_category
