-- One row comes back for each campaign whose weeks do not sum to its days.
with

weeks as (

    select
        campaign,
        sum(cost) as cost,
        sum(revenue) as revenue,
        sum(attributed_revenue) as attributed_revenue,
        sum(value) as value

    from {{ ref('mart_campaign_returns') }}
    group by campaign

),

days as (

    select
        campaign,
        sum(cost) as cost,
        sum(revenue) as revenue,
        sum(attributed_revenue) as attributed_revenue,
        sum(expected_revenue) as value

    from {{ ref('mart_daily_values') }}
    group by campaign

)

select days.campaign

from days
left join weeks on days.campaign = weeks.campaign
where
    weeks.campaign is null
    or days.cost <> weeks.cost
    or days.revenue <> weeks.revenue
    or days.attributed_revenue <> weeks.attributed_revenue
    or days.value <> weeks.value
