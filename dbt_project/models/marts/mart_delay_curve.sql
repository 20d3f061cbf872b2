with

delays as (

    select * from {{ ref('val_version_delays') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

)

select
    delays.value_version,
    delays.micro_conversion,
    delays.macro_conversion,
    cast(floor(delays.age_hours / 24) as integer) as days,
    delays.at_risk,
    delays.converted_share,
    delays.maturity

from delays
inner join periods
    on delays.value_version = periods.value_version
    and coalesce(delays.restatement, 0) = periods.restatement
where delays.age_hours % 24 = 0
