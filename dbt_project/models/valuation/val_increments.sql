{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('val_sessions') }}
    where is_in_look_back

),

states as (

    select * from {{ ref('int_session_states') }}

),

state_values as (

    select * from {{ ref('val_state_values') }}

),

steps_valued as (

    select
        states.macro_conversion,
        states.session_key,
        states.item,
        states.step_number,
        sessions.intent_class,
        sessions.visitor_type,
        coalesce(own.passed_value, tiers.passed_value) as value_after

    from states
    inner join sessions on states.session_key = sessions.session_key
    inner join state_values as tiers
        on states.macro_conversion = tiers.macro_conversion
        and sessions.intent_class = tiers.intent_class
        and sessions.visitor_type = tiers.visitor_type
        and tiers.level = 'tier'
        and states.deepest_tier_rank = tiers.state_key
    left join state_values as own
        on states.macro_conversion = own.macro_conversion
        and sessions.intent_class = own.intent_class
        and sessions.visitor_type = own.visitor_type
        and own.level = 'state'
        and states.state_key = own.state_key

),

steps_with_increment as (

    select
        *,
        value_after - lag(value_after) over (
            partition by macro_conversion, session_key order by step_number
        ) as increment

    from steps_valued

)

select
    macro_conversion,
    item as micro_conversion,
    coalesce(intent_class, '(all)') as intent_class,
    coalesce(visitor_type, '(all)') as visitor_type,
    avg(cast(increment as double)) as incremental_value

from steps_with_increment
where item not in ('(start)', '(macro)')
group by grouping sets (
    (macro_conversion, item),
    (macro_conversion, item, intent_class),
    (macro_conversion, item, intent_class, visitor_type)
)
