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
    cast(baskets as bigint) as baskets,
    cast({{ rounded('basket_value', 4) }} as decimal(18, 4)) as basket_value,
    cast({{ rounded('basket_value_lower', 4) }} as decimal(18, 4)) as basket_value_lower,
    cast({{ rounded('basket_value_upper', 4) }} as decimal(18, 4)) as basket_value_upper,
    cast(lifetime_users as bigint) as lifetime_users,
    cast(lifetime_orders as bigint) as lifetime_orders,
    cast({{ rounded('lifetime_value', 4) }} as decimal(18, 4)) as lifetime_value,
    cast({{ rounded('lifetime_value_lower', 4) }} as decimal(18, 4)) as lifetime_value_lower,
    cast({{ rounded('lifetime_value_upper', 4) }} as decimal(18, 4)) as lifetime_value_upper,
    lifetime_maturity

from {{ ref('val_customer_values') }}
where {{ is_new_version() }}
