{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': {'column': 'session_key', 'key': 'session_key'}},
    post_hook="{{ remember_changes() }}"
) }}

with

states as (

    select * from {{ ref('int_session_states') }}
    where {{ changed_since_last_build('session_key') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

version_states as (

    select * from {{ ref('val_version_states') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

),

goals as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

steps as (

    select
        states.session_key,
        states.macro_conversion,
        states.item,
        states.step_number,
        states.state_key,
        states.deepest_tier_rank,
        states.deepest_weight,
        states.is_last,
        traffic_sources.intent_class,
        sessions.visitor_type,
        periods.value_version,
        periods.restatement,
        -- the configured weight speaks before any version; a goal that a version does not know is
        -- worth nothing while it is in force, as its acts are
        cast(
            case
                when periods.value_version = '(prior)'
                    then {{ rounded('states.deepest_weight * goals.default_value', 4) }}
                else 0
            end as decimal(18, 4)
        ) as value_without_states

    from states
    inner join sessions on states.session_key = sessions.session_key
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign
    inner join periods
        on sessions.session_date >= periods.valid_from
        and sessions.session_date < periods.valid_to
    inner join goals on states.macro_conversion = goals.conversion

),

-- a state that the version never saw is worth what its weight of its deepest tier is, or else
-- what that tier is
steps_valued as (

    select
        steps.*,
        cast(
            coalesce(
                own.passed_value,
                weights.passed_value,
                tiers.passed_value,
                steps.value_without_states
            ) as decimal(18, 4)
        ) as value_after,
        cast(
            coalesce(
                own.ended_value,
                weights.ended_value,
                tiers.ended_value,
                steps.value_without_states
            ) as decimal(18, 4)
        ) as ended_value

    from steps
    left join version_states as tiers
        on steps.value_version = tiers.value_version
        and steps.restatement = coalesce(tiers.restatement, 0)
        and steps.macro_conversion = tiers.macro_conversion
        and steps.intent_class = tiers.intent_class
        and steps.visitor_type = tiers.visitor_type
        and tiers.level = 'tier'
        and steps.deepest_tier_rank = tiers.state_key
    left join version_states as weights
        on steps.value_version = weights.value_version
        and steps.restatement = coalesce(weights.restatement, 0)
        and steps.macro_conversion = weights.macro_conversion
        and steps.intent_class = weights.intent_class
        and steps.visitor_type = weights.visitor_type
        and weights.level = 'weight'
        and {{ weight_level_key('steps.deepest_tier_rank', 'steps.deepest_weight') }}
        = weights.state_key
    left join version_states as own
        on steps.value_version = own.value_version
        and steps.restatement = coalesce(own.restatement, 0)
        and steps.macro_conversion = own.macro_conversion
        and steps.intent_class = own.intent_class
        and steps.visitor_type = own.visitor_type
        and own.level = 'state'
        and steps.state_key = own.state_key

),

steps_sorted as (

    select * from steps_valued
    order by session_key, macro_conversion, step_number

),

-- step 0 starts each session's way to a goal, so no later step has another's in front of it
steps_compared as (

    select
        *,
        {{ in_sorted_rows(
            'lag(value_after)', ['session_key', 'macro_conversion'], 'step_number'
        ) }} as value_before

    from steps_sorted

)

select
    session_key,
    macro_conversion,
    item,
    step_number,
    value_version,
    case when step_number = 0 then value_after else 0 end as baseline_value,
    case when step_number > 0 then value_after - value_before else 0 end as incremental_value,
    case when is_last then ended_value - value_after else 0 end as closing_value

from steps_compared
order by session_key
