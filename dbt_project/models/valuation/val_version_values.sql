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
    cast(probability as double) as probability,
    cast({{ rounded('average_macro_value', 4) }} as decimal(18, 4)) as average_macro_value,
    cast(tier_weight as double) as tier_weight,
    cast({{ rounded('weighted_value', 4) }} as decimal(18, 4)) as weighted_value,
    cast({{ rounded('probability_value', 4) }} as decimal(18, 4)) as probability_value,
    cast({{ rounded('incremental_value', 4) }} as decimal(18, 4)) as incremental_value,
    cast({{ rounded('value', 4) }} as decimal(18, 4)) as value,
    guardrail

from {{ ref('val_micro_values') }}
where {{ is_new_version() }}
