{#- a visit is credited with what happens in it, however long it goes on -#}
{% set settled_days = [
    var('attribution_look_back_days') | int,
    longest_session_days(),
] | max -%}

with

daily_values as (

    select * from {{ ref('mart_daily_values') }}
    where value_version <> '(prior)'

),

daily_refunds as (

    select * from {{ ref('int_daily_refunds') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}
    where value_version <> '(prior)'

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

landings as (

    select max(landed_date) as landed_date from event_counts

),

dates_with_sessions as (

    select max(date) as session_date from daily_values
    where sessions > 0

),

-- a device whose clock runs ahead settles nothing
last_day as (

    select
        least(
            dates_with_sessions.session_date,
            coalesce(landings.landed_date, dates_with_sessions.session_date)
        ) as last_date

    from dates_with_sessions
    cross join landings

),

-- what refunds of other sessions' orders took off on these dates comes on again: left is what the
-- sessions of these dates were credited with, without a look at each of them
daily_rows as (

    select
        date,
        value_version,
        channel_group,
        sessions,
        expected_revenue,
        attributed_revenue as credit,
        weighted_value

    from daily_values

    union all

    select
        daily_refunds.refund_date as date,
        periods.value_version,
        daily_refunds.channel_group,
        0 as sessions,
        0 as expected_revenue,
        daily_refunds.credit,
        0 as weighted_value

    from daily_refunds
    inner join periods
        on daily_refunds.refund_date >= periods.valid_from
        and daily_refunds.refund_date < periods.valid_to

),

weeks as (

    select
        value_version,
        channel_group,
        cast({{ dbt.date_trunc('week', 'date') }} as date) as week,
        sum(sessions) as sessions,
        sum(expected_revenue) as expected_revenue,
        sum(credit) as realised_revenue,
        sum(weighted_value) as weighted_value

    from daily_rows
    group by value_version, channel_group, cast({{ dbt.date_trunc('week', 'date') }} as date)
    having sum(sessions) > 0

)

-- realised once no macro-conversion to come can credit the week's sessions any more; the newest
-- date has only begun, and Sunday's sessions can be credited until the last of their days is over
select
    weeks.value_version,
    weeks.channel_group,
    weeks.week,
    {{ dbt.dateadd('day', settled_days, dbt.dateadd('day', 6, 'weeks.week')) }}
    < last_day.last_date as is_settled,
    cast(weeks.sessions as bigint) as sessions,
    cast(weeks.expected_revenue as decimal(18, 4)) as expected_revenue,
    cast(weeks.realised_revenue as decimal(18, 4)) as realised_revenue,
    cast(weeks.weighted_value as decimal(18, 4)) as weighted_value

from weeks
cross join last_day
