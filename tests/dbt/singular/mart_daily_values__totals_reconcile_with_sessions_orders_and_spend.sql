-- One row comes back for each date on which sessions, orders, money or spend went missing or were
-- doubled on the way into the daily values.
with

daily_values as (

    select
        date,
        sum(sessions) as sessions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(expected_revenue) as expected_revenue,
        sum(cost) as cost,
        sum(clicks) as clicks

    from {{ ref('mart_daily_values') }}
    group by date

),

session_totals as (

    select
        session_date as date,
        count(*) as sessions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(session_value) as expected_revenue

    from {{ ref('mart_sessions') }}
    group by session_date

),

spend_totals as (

    select
        spend_date as date,
        sum(cost) as cost,
        sum(clicks) as clicks

    from {{ ref('int_daily_spend') }}
    group by spend_date

),

refund_totals as (

    select
        refund_date as date,
        sum(value) as refunds

    from {{ ref('int_refunds') }}
    where value > 0
    group by refund_date

),

dates as (

    select date from session_totals

    union

    select date from spend_totals

    union

    select date from refund_totals

)

select
    dates.date,
    daily_values.sessions,
    session_totals.sessions as expected_sessions,
    daily_values.revenue,
    session_totals.revenue as session_revenue,
    refund_totals.refunds,
    daily_values.cost,
    spend_totals.cost as spend_cost

from dates
left join daily_values on dates.date = daily_values.date
left join session_totals on dates.date = session_totals.date
left join spend_totals on dates.date = spend_totals.date
left join refund_totals on dates.date = refund_totals.date
where
    coalesce(daily_values.sessions, -1) <> coalesce(session_totals.sessions, 0)
    or coalesce(daily_values.macro_conversions, -1) <> coalesce(session_totals.macro_conversions, 0)
    or daily_values.revenue is distinct from
    coalesce(session_totals.revenue, 0) - coalesce(refund_totals.refunds, 0)
    or coalesce(daily_values.expected_revenue, -1) <> coalesce(session_totals.expected_revenue, 0)
    or coalesce(daily_values.cost, -1) <> coalesce(spend_totals.cost, 0)
    or coalesce(daily_values.clicks, -1) <> coalesce(spend_totals.clicks, 0)
