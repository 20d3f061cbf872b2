select
    value_version,
    micro_conversion,
    macro_conversion,
    intent_class,
    visitor_type,
    trials,
    mature_trials,
    conversions,
    raw_probability,
    probability,
    probability_lower,
    probability_upper,
    base_probability,
    probability_without,
    lift,
    lift_lower,
    lift_upper,
    verdict

from {{ ref('val_version_probabilities') }}
