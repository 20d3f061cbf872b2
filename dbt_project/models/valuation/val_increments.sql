{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('val_sessions') }}
    where is_settled

),

states as (

    select * from {{ ref('int_session_states') }}

),

state_values as (

    select * from {{ ref('val_state_values') }}

),

-- a session that goes on past the version date: what it did from then on is not read
trials as (

    select
        session_key,
        micro_conversion

    from {{ ref('int_micro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

steps_valued as (

    select
        states.macro_conversion,
        states.session_key,
        states.item,
        states.step_number,
        sessions.intent_class,
        sessions.visitor_type,
        coalesce(own.passed_value, weights.passed_value, tiers.passed_value) as value_after

    from states
    inner join sessions on states.session_key = sessions.session_key
    inner join state_values as tiers
        on states.macro_conversion = tiers.macro_conversion
        and sessions.intent_class = tiers.intent_class
        and sessions.visitor_type = tiers.visitor_type
        and tiers.level = 'tier'
        and states.deepest_tier_rank = tiers.state_key
    left join state_values as weights
        on states.macro_conversion = weights.macro_conversion
        and sessions.intent_class = weights.intent_class
        and sessions.visitor_type = weights.visitor_type
        and weights.level = 'weight'
        and {{ weight_level_key('states.deepest_tier_rank', 'states.deepest_weight') }}
        = weights.state_key
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
    steps_with_increment.macro_conversion,
    trials.micro_conversion,
    coalesce(steps_with_increment.intent_class, '(all)') as intent_class,
    coalesce(steps_with_increment.visitor_type, '(all)') as visitor_type,
    -- summed as decimals: a sum of doubles would depend on the order of the rows
    cast(sum(steps_with_increment.increment) as double) / count(*) as incremental_value

from steps_with_increment
inner join trials
    on steps_with_increment.session_key = trials.session_key
    and steps_with_increment.item = trials.micro_conversion
group by grouping sets (
    (steps_with_increment.macro_conversion, trials.micro_conversion),
    (
        steps_with_increment.macro_conversion,
        trials.micro_conversion,
        steps_with_increment.intent_class
    ),
    (
        steps_with_increment.macro_conversion,
        trials.micro_conversion,
        steps_with_increment.intent_class,
        steps_with_increment.visitor_type
    )
)
