{{ config(
    tags=['quarterly'],
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    contract={'enforced': true},
    meta={'is_kept': true},
    pre_hook="{{ forget_unfinished_version() }}"
) }}

select
    {{ value_version() }} as value_version,
    {{ version_date() }} as valid_from,
    {{ restatement() }} as restatement,
    macro_conversion,
    micro_conversion,
    intent_class,
    visitor_type,
    cast(trials as bigint) as trials,
    cast(mature_trials as bigint) as mature_trials,
    cast(conversions as bigint) as conversions,
    cast(raw_probability as double) as raw_probability,
    cast(probability as double) as probability,
    cast(probability_lower as double) as probability_lower,
    cast(probability_upper as double) as probability_upper,
    cast(base_probability as double) as base_probability,
    cast(probability_without as double) as probability_without,
    cast(lift as double) as lift,
    cast(lift_lower as double) as lift_lower,
    cast(lift_upper as double) as lift_upper,
    verdict

from {{ ref('val_probabilities') }}
where {{ is_new_version() }}
