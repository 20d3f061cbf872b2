with

version_values as (

    select
        *,
        coalesce(restatement, 0) as writing

    from {{ ref('val_version_values') }}

),

version_probabilities as (

    select
        *,
        coalesce(restatement, 0) as writing

    from {{ ref('val_version_probabilities') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

),

writings as (

    select * from {{ ref('val_version_writings') }}

)

-- a writing above the one in force was cut short and is not shown
select
    version_values.value_version,
    cast(version_values.writing as integer) as restatement,
    version_values.micro_conversion,
    version_values.macro_conversion,
    version_values.intent_class,
    version_values.visitor_type,
    periods.valid_from,
    periods.valid_to,
    coalesce(writings.known_from, cast(periods.valid_from as timestamp)) as known_from,
    case
        when version_values.writing = periods.restatement then timestamp '9999-12-31 00:00:00'
        else coalesce(later.known_from, cast(periods.valid_from as timestamp))
    end as known_to,
    writings.reason,
    version_probabilities.trials,
    version_probabilities.raw_probability,
    version_values.probability,
    version_probabilities.probability_lower,
    version_probabilities.probability_upper,
    version_probabilities.verdict,
    version_values.average_macro_value,
    version_values.weighted_value,
    version_values.probability_value,
    version_values.incremental_value,
    version_values.value,
    version_values.guardrail

from version_values
inner join periods
    on version_values.value_version = periods.value_version
    and version_values.writing <= periods.restatement
inner join version_probabilities
    on version_values.value_version = version_probabilities.value_version
    and version_values.writing = version_probabilities.writing
    and version_values.micro_conversion = version_probabilities.micro_conversion
    and version_values.macro_conversion = version_probabilities.macro_conversion
    and version_values.intent_class = version_probabilities.intent_class
    and version_values.visitor_type = version_probabilities.visitor_type
left join writings
    on version_values.value_version = writings.value_version
    and version_values.writing = writings.restatement
left join writings as later
    on version_values.value_version = later.value_version
    and version_values.writing + 1 = later.restatement
