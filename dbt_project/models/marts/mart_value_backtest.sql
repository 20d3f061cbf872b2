with

daily_values as (

    select * from {{ ref('mart_daily_values') }}
    where value_version <> '(prior)' and sessions > 0

),

last_day as (

    select max(date) as last_date from daily_values

),

weeks as (

    select
        value_version,
        channel_group,
        cast({{ dbt.date_trunc('week', 'date') }} as date) as week,
        sum(sessions) as sessions,
        sum(expected_revenue) as expected_revenue,
        sum(attributed_revenue) as realised_revenue,
        sum(weighted_value) as weighted_value

    from daily_values
    group by value_version, channel_group, cast({{ dbt.date_trunc('week', 'date') }} as date)

)

-- realised once no macro-conversion to come can credit the week's sessions any more
select
    weeks.value_version,
    weeks.channel_group,
    weeks.week,
    {{ dbt.dateadd('day', var('attribution_look_back_days'), dbt.dateadd('day', 6, 'weeks.week')) }}
    <= last_day.last_date as is_settled,
    cast(weeks.sessions as bigint) as sessions,
    cast(weeks.expected_revenue as decimal(18, 4)) as expected_revenue,
    cast(weeks.realised_revenue as decimal(18, 4)) as realised_revenue,
    cast(weeks.weighted_value as decimal(18, 4)) as weighted_value

from weeks
cross join last_day
