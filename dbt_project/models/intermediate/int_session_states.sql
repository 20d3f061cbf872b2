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

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

goals as (

    select
        conversion as macro_conversion,
        state_item_key as goal_key

    from rules
    where conversion_type = 'macro'

),

items as (

    select
        conversion as item,
        state_item_key

    from rules
    where conversion_type = 'micro'

),

macros_of_sessions as (

    select
        session_key,
        state_item_key,
        min(event_number) as event_number

    from macro_conversions
    group by session_key, state_item_key

),

-- what changes the state: the start, each micro-conversion, and the goal itself; keys instead of
-- names, so that what is sorted below is narrow
steps as (

    select
        sessions.session_key,
        goals.goal_key,
        cast(0 as bigint) as state_item_key,
        0 as tier_rank,
        cast(0 as double) as weight,
        0 as event_number

    from sessions
    cross join goals

    union all

    select
        micro_conversions.session_key,
        goals.goal_key,
        micro_conversions.state_item_key,
        micro_conversions.tier_rank,
        micro_conversions.weight,
        micro_conversions.event_number

    from micro_conversions
    cross join goals

    union all

    select
        session_key,
        state_item_key as goal_key,
        state_item_key,
        4 as tier_rank,
        cast(1 as double) as weight,
        event_number

    from macros_of_sessions

),

states as (

    select
        session_key,
        goal_key,
        state_item_key,
        tier_rank,
        cast(
            row_number() over (
                partition by session_key, goal_key
                order by event_number, tier_rank, state_item_key
            ) - 1 as integer
        ) as step_number,
        cast(
            sum(state_item_key) over (
                partition by session_key, goal_key
                order by event_number, tier_rank, state_item_key
                rows between unbounded preceding and current row
            ) as bigint
        ) as state_key,
        cast(
            max(tier_rank) over (
                partition by session_key, goal_key
                order by event_number, tier_rank, state_item_key
                rows between unbounded preceding and current row
            ) as integer
        ) as deepest_tier_rank,
        max(weight) over (
            partition by session_key, goal_key
            order by event_number, tier_rank, state_item_key
            rows between unbounded preceding and current row
        ) as deepest_weight,
        lead(tier_rank) over (
            partition by session_key, goal_key
            order by event_number, tier_rank, state_item_key
        ) is null as is_last

    from steps

)

select
    states.session_key,
    goals.macro_conversion,
    case states.tier_rank when 0 then '(start)' when 4 then '(macro)' else items.item end as item,
    states.step_number,
    states.state_key,
    states.deepest_tier_rank,
    states.deepest_weight,
    states.is_last

from states
inner join goals on states.goal_key = goals.goal_key
left join items on states.state_item_key = items.state_item_key
order by states.session_key
