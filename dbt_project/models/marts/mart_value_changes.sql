with

versions as (

    select
        *,
        known_to = timestamp '9999-12-31 00:00:00' as is_in_force

    from {{ ref('mart_value_history') }}

),

-- each version begins where the one before it ends; a restatement stands beside what it replaced
pairs as (

    select
        versions.value_version,
        before.value_version as previous_version,
        versions.restatement,
        before.restatement as previous_restatement,
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
        on versions.micro_conversion = before.micro_conversion
        and versions.macro_conversion = before.macro_conversion
        and versions.intent_class = before.intent_class
        and versions.visitor_type = before.visitor_type
        and (
            (
                versions.valid_from = before.valid_to
                and versions.is_in_force
                and before.is_in_force
            )
            or (
                versions.value_version = before.value_version
                and versions.restatement = before.restatement + 1
            )
        )

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
    previous_guardrail,
    restatement,
    previous_restatement

from pairs
