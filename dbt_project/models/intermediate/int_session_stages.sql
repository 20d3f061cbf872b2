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

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

-- the first moment of each micro-conversion, and each macro-conversion
firsts as (

    select
        session_key,
        tier_rank,
        event_number

    from micro_conversions

    union all

    select
        session_key,
        4 as tier_rank,
        event_number

    from macro_conversions

),

first_soft as (

    select
        session_key,
        max(case when tier_rank = 1 then 1 else 0 end) = 1 as has_soft,
        max(case when tier_rank = 2 then 1 else 0 end) = 1 as has_medium,
        max(case when tier_rank = 3 then 1 else 0 end) = 1 as has_hard,
        max(case when tier_rank = 4 then 1 else 0 end) = 1 as has_macro,
        min(case when tier_rank = 1 then event_number end) as soft_at

    from firsts
    group by session_key

),

-- a later step may be an act that was done before the earlier step already, and again behind it
events_of_later_tiers as (

    select
        conversion_events.session_key,
        conversion_events.conversion,
        conversion_events.event_number,
        rules.tier_rank

    from conversion_events
    inner join rules
        on conversion_events.conversion = rules.conversion
        and conversion_events.conversion_type = rules.conversion_type
    where rules.conversion_type = 'micro' and rules.tier_rank in (2, 3)

),

moments as (

    select
        events_of_later_tiers.session_key,
        events_of_later_tiers.tier_rank,
        events_of_later_tiers.event_number

    from events_of_later_tiers
    inner join micro_conversions
        on events_of_later_tiers.session_key = micro_conversions.session_key
        and events_of_later_tiers.conversion = micro_conversions.micro_conversion
        and events_of_later_tiers.event_number >= micro_conversions.event_number

    union all

    select
        session_key,
        tier_rank,
        event_number

    from firsts
    where tier_rank = 4

),

-- each step is looked for behind the one before it; none comes behind the session's start unseen
first_medium as (

    select
        first_soft.session_key,
        min(moments.event_number) as medium_at

    from first_soft
    inner join moments
        on first_soft.session_key = moments.session_key
        and moments.tier_rank = 2
        and moments.event_number > first_soft.soft_at
    group by first_soft.session_key

),

first_hard as (

    select
        first_medium.session_key,
        min(moments.event_number) as hard_at

    from first_medium
    inner join moments
        on first_medium.session_key = moments.session_key
        and moments.tier_rank = 3
        and moments.event_number > first_medium.medium_at
    group by first_medium.session_key

),

first_macro as (

    select
        first_hard.session_key,
        min(moments.event_number) as macro_at

    from first_hard
    inner join moments
        on first_hard.session_key = moments.session_key
        and moments.tier_rank = 4
        and moments.event_number > first_hard.hard_at
    group by first_hard.session_key

)

select
    sessions.session_key,
    coalesce(first_soft.has_soft, false) as has_soft,
    coalesce(first_soft.has_medium, false) as has_medium,
    coalesce(first_soft.has_hard, false) as has_hard,
    coalesce(first_soft.has_macro, false) as has_macro,
    first_soft.soft_at is not null as reached_soft,
    first_medium.medium_at is not null as reached_medium,
    first_hard.hard_at is not null as reached_hard,
    first_macro.macro_at is not null as reached_macro

from sessions
left join first_soft on sessions.session_key = first_soft.session_key
left join first_medium on sessions.session_key = first_medium.session_key
left join first_hard on sessions.session_key = first_hard.session_key
left join first_macro on sessions.session_key = first_macro.session_key
order by sessions.session_key
