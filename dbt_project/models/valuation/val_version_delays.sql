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
    cast(age_hours as integer) as age_hours,
    cast(at_risk as bigint) as at_risk,
    cast(conversions as bigint) as conversions,
    cast(converted_share as double) as converted_share,
    cast(maturity as double) as maturity

from {{ ref('val_delay_curve') }}
-- the curve rises at conversions only; besides those hours the ends of days are kept
where
    (conversions > 0 or age_hours % 24 = 0)
    and {{ is_new_version() }}
