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
        rules.tier_rank,
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

kept_probabilities as (

    select * from {{ kept_table('val_version_probabilities') }}
    where valid_from < {{ version_date() }}

),

kept_values as (

    select * from {{ kept_table('val_version_values') }}
    where valid_from < {{ version_date() }}

),

kept_states as (

    select * from {{ kept_table('val_version_states') }}
    where valid_from < {{ version_date() }}

),

-- a version whose writing was cut short was never in force: its states, written last, are missing.
-- distinct: one row for each writing
whole_versions as (

    select distinct
        value_version,
        coalesce(restatement, 0) as restatement

    from kept_states

),

kept_values_ranked as (

    select
        kept_values.*,
        row_number() over (
            partition by
                kept_values.macro_conversion, kept_values.micro_conversion,
                kept_values.intent_class, kept_values.visitor_type
            order by kept_values.valid_from desc, whole_versions.restatement desc
        ) as place_from_last

    from kept_values
    inner join whole_versions
        on kept_values.value_version = whole_versions.value_version
        and coalesce(kept_values.restatement, 0) = whole_versions.restatement

),

-- the version before this one, as it was written last; what nobody had done then had its weight
-- alone, which is no value to hold on to
previous_values as (

    select
        kept_values_ranked.macro_conversion,
        kept_values_ranked.micro_conversion,
        kept_values_ranked.intent_class,
        kept_values_ranked.visitor_type,
        cast(kept_values_ranked.value as double) as previous_value

    from kept_values_ranked
    left join kept_probabilities
        on kept_values_ranked.value_version = kept_probabilities.value_version
        and coalesce(kept_values_ranked.restatement, 0)
        = coalesce(kept_probabilities.restatement, 0)
        and kept_values_ranked.macro_conversion = kept_probabilities.macro_conversion
        and kept_values_ranked.micro_conversion = kept_probabilities.micro_conversion
        and kept_values_ranked.intent_class = kept_probabilities.intent_class
        and kept_values_ranked.visitor_type = kept_probabilities.visitor_type
    where kept_values_ranked.place_from_last = 1 and coalesce(kept_probabilities.trials, 1) > 0

),

-- a thin segment takes the verdict of all; what does not predict there is worth nothing anywhere
values_judged as (

    select
        values_before_guardrails.*,
        previous_values.previous_value,
        values_before_guardrails.verdict = 'misleading'
        or (
            values_before_guardrails.verdict in ('unclear', 'too_few')
            and values_before_guardrails.verdict_of_all in ('unclear', 'misleading')
        ) as does_not_predict

    from values_before_guardrails
    left join previous_values
        on values_before_guardrails.macro_conversion = previous_values.macro_conversion
        and values_before_guardrails.micro_conversion = previous_values.micro_conversion
        and values_before_guardrails.intent_class = previous_values.intent_class
        and values_before_guardrails.visitor_type = previous_values.visitor_type

),

-- what was worth nothing may come to any value at once
values_held as (

    select
        *,
        case
            when does_not_predict then 0.0
            when previous_value > 0
                then least(
                    greatest(
                        probability_value, previous_value * (1 - {{ var('maximum_value_change') }})
                    ),
                    previous_value * (1 + {{ var('maximum_value_change') }})
                )
            else probability_value
        end as held_value

    from values_judged

),

values_capped as (

    select
        *,
        least(held_value, cap) as capped_value

    from values_held

),

-- the ladder, from the top: no tier is worth more than the least of those above it, of the same
-- segment, that is worth anything. What has trials enough is measured by such alone, or one rare
-- act would pull down all that is known
values_with_floor_of_hard as (

    select
        *,
        min(case when tier_rank = 3 and capped_value > 0 then capped_value end) over (
            partition by macro_conversion, intent_class, visitor_type
        ) as least_hard,
        min(
            case
                when tier_rank = 3 and capped_value > 0 and verdict <> 'too_few' then capped_value
            end
        ) over (
            partition by macro_conversion, intent_class, visitor_type
        ) as least_known_hard

    from values_capped

),

values_below_hard as (

    select
        *,
        case
            when tier_rank = 3 then capped_value
            when verdict = 'too_few' then least(capped_value, coalesce(least_hard, capped_value))
            else least(capped_value, coalesce(least_known_hard, capped_value))
        end as value_below_hard

    from values_with_floor_of_hard

),

values_with_floor_of_medium as (

    select
        *,
        min(case when tier_rank = 2 and value_below_hard > 0 then value_below_hard end) over (
            partition by macro_conversion, intent_class, visitor_type
        ) as least_medium,
        min(
            case
                when tier_rank = 2 and value_below_hard > 0 and verdict <> 'too_few'
                    then value_below_hard
            end
        ) over (
            partition by macro_conversion, intent_class, visitor_type
        ) as least_known_medium

    from values_below_hard

),

values_guarded as (

    select
        *,
        case
            when tier_rank > 1 then value_below_hard
            when verdict = 'too_few'
                then least(value_below_hard, coalesce(least_medium, value_below_hard))
            else least(value_below_hard, coalesce(least_known_medium, value_below_hard))
        end as value

    from values_with_floor_of_medium

)

-- the rule that set the value: the last of those that acted
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
    previous_value,
    value,
    case
        when does_not_predict then 'not_predictive'
        when value < capped_value then 'ladder'
        when capped_value < held_value then 'tier_cap'
        when held_value <> probability_value then 'largest_change'
        when verdict = 'too_few' then 'minimum_trials'
        else 'none'
    end as guardrail

from values_guarded
