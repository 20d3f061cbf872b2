with

micro_values as (

    select * from {{ ref('mart_micro_values') }}
    where value_version <> '(prior)'

),

probabilities as (

    select * from {{ ref('mart_conversion_probabilities') }}

),

versions as (

    select
        micro_values.*,
        probabilities.trials,
        probabilities.raw_probability

    from micro_values
    inner join probabilities
        on micro_values.value_version = probabilities.value_version
        and micro_values.micro_conversion = probabilities.micro_conversion
        and micro_values.macro_conversion = probabilities.macro_conversion
        and micro_values.intent_class = probabilities.intent_class
        and micro_values.visitor_type = probabilities.visitor_type

),

-- each version begins where the one before it ends
pairs as (

    select
        versions.value_version,
        before.value_version as previous_version,
        versions.micro_conversion,
        versions.macro_conversion,
        versions.intent_class,
        versions.visitor_type,
        versions.value,
        before.value as previous_value,
        versions.trials,
        before.trials as previous_trials,
        versions.guardrail,
        before.guardrail as previous_guardrail,
        -- the old money times the step of the raw rate ...
        coalesce(versions.raw_probability - before.raw_probability, 0)
        * cast(before.average_macro_value as double) as change_by_rate,
        -- ... and times what is left of the step of the probability: how far it leans on its parent
        (
            versions.probability - before.probability
            - coalesce(versions.raw_probability - before.raw_probability, 0)
        ) * cast(before.average_macro_value as double) as change_by_trials,
        versions.probability
        * cast(versions.average_macro_value - before.average_macro_value as double)
            as change_by_macro_value,
        (versions.value - versions.probability_value)
        - (before.value - before.probability_value) as change_by_guardrail

    from versions
    inner join versions as before
        on versions.valid_from = before.valid_to
        and versions.micro_conversion = before.micro_conversion
        and versions.macro_conversion = before.macro_conversion
        and versions.intent_class = before.intent_class
        and versions.visitor_type = before.visitor_type

)

select
    value_version,
    previous_version,
    micro_conversion,
    macro_conversion,
    intent_class,
    visitor_type,
    value,
    previous_value,
    cast(value - previous_value as decimal(18, 4)) as change,
    cast(change_by_rate as decimal(18, 4)) as change_by_rate,
    cast(change_by_trials as decimal(18, 4)) as change_by_trials,
    cast(change_by_macro_value as decimal(18, 4)) as change_by_macro_value,
    cast(change_by_guardrail as decimal(18, 4)) as change_by_guardrail,
    case
        when value = previous_value then 'none'
        when
            abs(change_by_guardrail) >= greatest(
                abs(change_by_rate), abs(change_by_trials), abs(change_by_macro_value)
            )
            then 'guardrail'
        when
            abs(change_by_rate) >= greatest(abs(change_by_trials), abs(change_by_macro_value))
            then 'rate'
        when abs(change_by_macro_value) >= abs(change_by_trials) then 'macro_value'
        else 'trials'
    end as main_reason,
    trials,
    previous_trials,
    guardrail,
    previous_guardrail

from pairs
