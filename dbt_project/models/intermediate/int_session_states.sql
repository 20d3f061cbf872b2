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

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

macros_of_sessions as (

    select
        session_key,
        macro_conversion,
        state_item_key,
        min(event_number) as event_number

    from macro_conversions
    group by session_key, macro_conversion, state_item_key

),

-- what changes the state: the start, each micro-conversion, and the goal itself
steps as (

    select
        sessions.session_key,
        goals.macro_conversion,
        '(start)' as item,
        cast(0 as bigint) as state_item_key,
        0 as tier_rank,
        cast(0 as double) as weight,
        0 as event_number

    from sessions
    cross join goals

    union all

    select
        micro_conversions.session_key,
        goals.macro_conversion,
        micro_conversions.micro_conversion as item,
        micro_conversions.state_item_key,
        micro_conversions.tier_rank,
        micro_conversions.weight,
        micro_conversions.event_number

    from micro_conversions
    cross join goals

    union all

    select
        session_key,
        macro_conversion,
        '(macro)' as item,
        state_item_key,
        4 as tier_rank,
        cast(1 as double) as weight,
        event_number

    from macros_of_sessions

)

select
    session_key,
    macro_conversion,
    item,
    cast(
        row_number() over (
            partition by session_key, macro_conversion
            order by event_number, tier_rank, state_item_key
        ) - 1 as integer
    ) as step_number,
    cast(
        sum(state_item_key) over (
            partition by session_key, macro_conversion
            order by event_number, tier_rank, state_item_key
            rows between unbounded preceding and current row
        ) as bigint
    ) as state_key,
    cast(
        max(tier_rank) over (
            partition by session_key, macro_conversion
            order by event_number, tier_rank, state_item_key
            rows between unbounded preceding and current row
        ) as integer
    ) as deepest_tier_rank,
    max(weight) over (
        partition by session_key, macro_conversion
        order by event_number, tier_rank, state_item_key
        rows between unbounded preceding and current row
    ) as deepest_weight,
    lead(item) over (
        partition by session_key, macro_conversion
        order by event_number, tier_rank, state_item_key
    ) is null as is_last

from steps
order by session_key
