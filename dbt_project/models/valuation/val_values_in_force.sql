with

version_values as (

    select * from {{ ref('val_version_values') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

),

micros as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

macros as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

-- the configured weight and the business's own estimate, where there is no history
prior_values as (

    select
        periods.value_version,
        periods.restatement,
        macros.conversion as macro_conversion,
        micros.conversion as micro_conversion,
        '(all)' as intent_class,
        '(all)' as visitor_type,
        micros.weight as probability,
        macros.default_value as average_macro_value,
        micros.weight as tier_weight,
        cast(
            {{ rounded('micros.weight * macros.default_value', 4) }} as decimal(18, 4)
        ) as prior_value

    from periods
    cross join micros
    cross join macros
    where periods.value_version = '(prior)'

),

values_of_versions as (

    select
        value_version,
        coalesce(restatement, 0) as restatement,
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
        value,
        guardrail

    from version_values

    union all

    select
        value_version,
        restatement,
        macro_conversion,
        micro_conversion,
        intent_class,
        visitor_type,
        probability,
        average_macro_value,
        tier_weight,
        prior_value as weighted_value,
        prior_value as probability_value,
        cast(null as decimal(18, 4)) as incremental_value,
        prior_value as value,
        'no_history' as guardrail

    from prior_values

)

select
    values_of_versions.value_version,
    periods.restatement,
    periods.valid_from,
    periods.valid_to,
    values_of_versions.macro_conversion,
    values_of_versions.micro_conversion,
    values_of_versions.intent_class,
    values_of_versions.visitor_type,
    values_of_versions.probability,
    values_of_versions.average_macro_value,
    values_of_versions.tier_weight,
    values_of_versions.weighted_value,
    values_of_versions.probability_value,
    values_of_versions.incremental_value,
    values_of_versions.value,
    values_of_versions.guardrail

from values_of_versions
inner join periods
    on values_of_versions.value_version = periods.value_version
    and values_of_versions.restatement = periods.restatement
