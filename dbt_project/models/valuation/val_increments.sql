{{ config(tags=['quarterly']) }}

with

-- neither the start nor the goal itself is a micro-conversion
steps as (

    select * from {{ ref('val_state_steps') }}
    where item not in ('(start)', '(macro)')

),

states as (

    select * from {{ ref('val_state_values') }}
    where level = 'state'

),

-- every state that a settled session passed through has a value, and so has the one before it
steps_with_increment as (

    select
        steps.macro_conversion,
        steps.item as micro_conversion,
        steps.intent_class,
        steps.visitor_type,
        steps.passed,
        states.passed_value - states_before.passed_value as increment

    from steps
    inner join states
        on steps.macro_conversion = states.macro_conversion
        and steps.intent_class = states.intent_class
        and steps.visitor_type = states.visitor_type
        and steps.state_key = states.state_key
    inner join states as states_before
        on steps.macro_conversion = states_before.macro_conversion
        and steps.intent_class = states_before.intent_class
        and steps.visitor_type = states_before.visitor_type
        and steps.state_key_before = states_before.state_key

)

select
    macro_conversion,
    micro_conversion,
    coalesce(intent_class, '(all)') as intent_class,
    coalesce(visitor_type, '(all)') as visitor_type,
    -- summed as decimals: a sum of doubles would depend on the order of the rows
    cast(sum(passed * increment) as double) / sum(passed) as incremental_value

from steps_with_increment
group by grouping sets (
    (macro_conversion, micro_conversion),
    (macro_conversion, micro_conversion, intent_class),
    (macro_conversion, micro_conversion, intent_class, visitor_type)
)
