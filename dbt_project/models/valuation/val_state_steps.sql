{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('val_sessions') }}
    where is_settled

),

states as (

    select * from {{ ref('int_session_states') }}

),

credits as (

    select * from {{ ref('val_session_credits') }}

),

goals as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

micros as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

items as (

    select
        goals.conversion as macro_conversion,
        micros.conversion as item,
        micros.state_item_key

    from goals
    cross join micros

    union all

    select
        conversion as macro_conversion,
        '(macro)' as item,
        state_item_key

    from goals

),

-- only sessions whose credit is settled: younger ones would look worthless
steps as (

    select
        states.macro_conversion,
        sessions.intent_class,
        sessions.visitor_type,
        states.item,
        states.state_key,
        max(states.deepest_tier_rank) as deepest_tier_rank,
        max({{ weight_level_key('states.deepest_tier_rank', 'states.deepest_weight') }})
            as weight_key,
        count(*) as passed,
        coalesce({{ steady_sum('credits.credit') }}, 0) as passed_credit,
        {{ steady_sum('credits.credit * credits.credit', 8) }} as passed_squares,
        count(case when states.is_last then 1 end) as ended,
        {{ steady_sum('case when states.is_last then credits.credit end') }} as ended_credit,
        {{ steady_sum('case when states.is_last then credits.credit * credits.credit end', 8) }}
            as ended_squares

    from states
    inner join sessions on states.session_key = sessions.session_key
    left join credits
        on states.session_key = credits.session_key
        and states.macro_conversion = credits.macro_conversion
    group by
        states.macro_conversion,
        sessions.intent_class,
        sessions.visitor_type,
        states.item,
        states.state_key

)

-- a state is the sum of its items' keys: without the item it is the state before
select
    steps.macro_conversion,
    steps.intent_class,
    steps.visitor_type,
    steps.item,
    steps.state_key,
    steps.state_key - items.state_item_key as state_key_before,
    steps.deepest_tier_rank,
    steps.weight_key,
    steps.passed,
    steps.passed_credit,
    coalesce(steps.passed_squares, 0.0) as passed_squares,
    steps.ended,
    coalesce(steps.ended_credit, 0.0) as ended_credit,
    coalesce(steps.ended_squares, 0.0) as ended_squares

from steps
left join items
    on steps.macro_conversion = items.macro_conversion
    and steps.item = items.item
