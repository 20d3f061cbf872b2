{{ config(tags=['quarterly']) }}

with

probabilities as (

    select * from {{ ref('val_probabilities') }}

),

macro_values as (

    select * from {{ ref('val_macro_values') }}

),

increments as (

    select * from {{ ref('val_increments') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

verdicts_of_all as (

    select
        macro_conversion,
        micro_conversion,
        verdict

    from probabilities
    where intent_class = '(all)' and visitor_type = '(all)'

),

values_before_guardrails as (

    select
        probabilities.macro_conversion,
        probabilities.micro_conversion,
        probabilities.intent_class,
        probabilities.visitor_type,
        probabilities.probability,
        probabilities.verdict,
        verdicts_of_all.verdict as verdict_of_all,
        macro_values.average_macro_value,
        rules.weight as tier_weight,
        rules.weight * macro_values.average_macro_value as weighted_value,
        probabilities.probability * macro_values.average_macro_value as probability_value,
        coalesce(increments.incremental_value, 0.0) as incremental_value,
        case rules.tier
            when 'soft' then {{ var('cap_soft') }}
            when 'medium' then {{ var('cap_medium') }}
            else {{ var('cap_hard') }}
        end * macro_values.average_macro_value as cap

    from probabilities
    inner join verdicts_of_all
        on probabilities.macro_conversion = verdicts_of_all.macro_conversion
        and probabilities.micro_conversion = verdicts_of_all.micro_conversion
    inner join macro_values
        on probabilities.macro_conversion = macro_values.macro_conversion
        and probabilities.intent_class = macro_values.intent_class
        and probabilities.visitor_type = macro_values.visitor_type
    inner join rules on probabilities.micro_conversion = rules.conversion
    left join increments
        on probabilities.macro_conversion = increments.macro_conversion
        and probabilities.micro_conversion = increments.micro_conversion
        and probabilities.intent_class = increments.intent_class
        and probabilities.visitor_type = increments.visitor_type

),

-- a thin segment takes the verdict of all; what does not predict there is worth nothing anywhere
values_judged as (

    select
        *,
        verdict = 'misleading'
        or (verdict in ('unclear', 'too_few') and verdict_of_all in ('unclear', 'misleading'))
            as does_not_predict

    from values_before_guardrails

)

select
    macro_conversion,
    micro_conversion,
    intent_class,
    visitor_type,
    probability,
    average_macro_value,
    tier_weight,
    weighted_value,
    probability_value,
    incremental_value,
    case
        when does_not_predict then 0.0
        else least(probability_value, cap)
    end as value,
    case
        when does_not_predict then 'not_predictive'
        when probability_value > cap then 'tier_cap'
        when verdict = 'too_few' then 'minimum_trials'
        else 'none'
    end as guardrail

from values_judged
