with

version_probabilities as (

    select * from {{ ref('val_version_probabilities') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

)

-- a version whose writing was cut short has no period and is not shown; of a restated one the
-- newest writing is
select
    version_probabilities.value_version,
    version_probabilities.micro_conversion,
    version_probabilities.macro_conversion,
    version_probabilities.intent_class,
    version_probabilities.visitor_type,
    version_probabilities.trials,
    version_probabilities.mature_trials,
    version_probabilities.conversions,
    version_probabilities.raw_probability,
    version_probabilities.probability,
    version_probabilities.probability_lower,
    version_probabilities.probability_upper,
    version_probabilities.base_probability,
    version_probabilities.probability_without,
    version_probabilities.lift,
    version_probabilities.lift_lower,
    version_probabilities.lift_upper,
    version_probabilities.verdict,
    periods.restatement

from version_probabilities
inner join periods
    on version_probabilities.value_version = periods.value_version
    and coalesce(version_probabilities.restatement, 0) = periods.restatement
