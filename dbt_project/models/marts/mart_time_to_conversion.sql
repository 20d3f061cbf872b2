with

delays as (

    select * from {{ ref('val_version_delays') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

)

-- from the curve and not from the delays seen: of young trials only the quick ones are seen yet.
-- Rounded, since half of an even number comes out a hair below one half
select
    delays.value_version,
    delays.micro_conversion,
    delays.macro_conversion,
    cast(sum(delays.conversions) as bigint) as conversions,
    cast(
        min(case when {{ rounded('delays.maturity', 9) }} >= 0.5 then delays.age_hours end)
        as integer
    )
        as median_hours,
    cast(
        min(case when {{ rounded('delays.maturity', 9) }} >= 0.9 then delays.age_hours end)
        as integer
    )
        as p90_hours

from delays
inner join periods
    on delays.value_version = periods.value_version
    and coalesce(delays.restatement, 0) = periods.restatement
group by delays.value_version, delays.micro_conversion, delays.macro_conversion
having sum(delays.conversions) > 0
