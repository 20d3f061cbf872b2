select
    value_version,
    micro_conversion,
    macro_conversion,
    intent_class,
    visitor_type,
    valid_from,
    valid_to,
    restatement,
    probability,
    average_macro_value,
    tier_weight,
    weighted_value,
    probability_value,
    incremental_value,
    value,
    guardrail

from {{ ref('val_values_in_force') }}
