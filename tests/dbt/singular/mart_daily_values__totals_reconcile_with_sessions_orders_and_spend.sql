{%- set written = ['mart_daily_values', 'mart_sessions'] %}
{{ config(meta={'tests_what_is_written': written}) }}
-- One row comes back for each combination of all dimensions in which the daily values hold other
-- sessions, money or spend than the tables that they are made of, so every coarser sum agrees too;
-- when all dates together do; and for each date on which the money credited to sessions, or that
-- of orders, went astray. A night looks at the dates of the sessions that it wrote, and at all
-- dates together.
with

daily_values as (

    select * from {{ ref('mart_daily_values') }}

),

sessions as (

    select * from {{ ref('mart_sessions') }}

),

spend as (

    select * from {{ ref('int_daily_spend') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

credits as (

    select * from {{ ref('int_session_credits') }}

),

daily_values_written as (

    select * from daily_values
    where {{ is_on_untested_date('date', written) }}

),

-- read once more: what is asked of a part would otherwise be asked of all, kept for both
sessions_written as (

    select * from {{ ref('mart_sessions') }}
    where {{ is_on_untested_date('session_date', written) }}

),

spend_written as (

    select * from spend
    where {{ is_on_untested_date('spend_date', written) }}

),

-- what is there counts up, what should be there counts down: together nothing is left
signed_rows as (

    select
        date,
        channel_group,
        source,
        medium,
        campaign,
        intent_class,
        visitor_type,
        sessions,
        soft_conversions + medium_conversions + hard_conversions as micro_conversions,
        macro_conversions,
        -- refunds stand on other dates than the sessions of their orders
        revenue + refunds as revenue,
        expected_revenue,
        impressions,
        clicks,
        cost

    from daily_values_written

    union all

    select
        session_date as date,
        channel_group,
        source,
        medium,
        campaign,
        intent_class,
        visitor_type,
        -1 as sessions,
        -(soft_conversions + medium_conversions + hard_conversions) as micro_conversions,
        -macro_conversions as macro_conversions,
        -revenue as revenue,
        -session_value as expected_revenue,
        0 as impressions,
        0 as clicks,
        0 as cost

    from sessions_written

    union all

    select
        spend_written.spend_date as date,
        spend_written.channel_group,
        spend_written.source,
        spend_written.medium,
        spend_written.campaign,
        traffic_sources.intent_class,
        '(none)' as visitor_type,
        0 as sessions,
        0 as micro_conversions,
        0 as macro_conversions,
        0 as revenue,
        0 as expected_revenue,
        -spend_written.impressions as impressions,
        -spend_written.clicks as clicks,
        -spend_written.cost as cost

    from spend_written
    left join traffic_sources
        on spend_written.source = traffic_sources.source
        and spend_written.medium = traffic_sources.medium
        and spend_written.campaign = traffic_sources.campaign

),

left_over as (

    select
        cast(date as string) as which,
        sum(sessions) as sessions,
        sum(micro_conversions) as micro_conversions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(expected_revenue) as expected_revenue,
        sum(coalesce(impressions, 0)) as impressions,
        sum(coalesce(clicks, 0)) as clicks,
        sum(cost) as cost

    from signed_rows
    group by date, channel_group, source, medium, campaign, intent_class, visitor_type

),

signed_totals as (

    select
        sum(sessions) as sessions,
        sum(soft_conversions + medium_conversions + hard_conversions) as micro_conversions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue + refunds) as revenue,
        sum(expected_revenue) as expected_revenue,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(cost) as cost

    from daily_values

    union all

    select
        -count(*) as sessions,
        -sum(soft_conversions + medium_conversions + hard_conversions) as micro_conversions,
        -sum(macro_conversions) as macro_conversions,
        -sum(revenue) as revenue,
        -sum(session_value) as expected_revenue,
        0 as impressions,
        0 as clicks,
        0 as cost

    from sessions

    union all

    select
        0 as sessions,
        0 as micro_conversions,
        0 as macro_conversions,
        0 as revenue,
        0 as expected_revenue,
        -sum(impressions) as impressions,
        -sum(clicks) as clicks,
        -sum(cost) as cost

    from spend

),

totals_left_over as (

    select
        'all dates' as which,
        sum(sessions) as sessions,
        sum(micro_conversions) as micro_conversions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(expected_revenue) as expected_revenue,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(cost) as cost

    from signed_totals

),

all_left_over as (

    select * from left_over

    union all

    select * from totals_left_over

),

refunds as (

    select * from {{ ref('int_refunds') }}

),

refunds_left_over as (

    select
        date,
        refunds

    from daily_values

    union all

    select
        refund_date as date,
        -value as refunds

    from refunds

),

dates_of_refunds as (

    select
        date,
        sum(refunds) as refunds

    from refunds_left_over
    group by date

),

money as (

    select
        sum(revenue + refunds) as revenue,
        sum(attributed_revenue + refunds) as attributed_revenue

    from daily_values

),

orders as (

    select sum(value) as revenue from macro_conversions

),

credited as (

    select sum(credit) as revenue from credits

)

select
    which,
    sessions,
    revenue,
    cost

from all_left_over
where
    sessions <> 0
    or micro_conversions <> 0
    or macro_conversions <> 0
    or revenue <> 0
    or expected_revenue <> 0
    or impressions <> 0
    or clicks <> 0
    or cost <> 0

union all

select
    'orders and credits' as which,
    0 as sessions,
    orders.revenue,
    0 as cost

from money
cross join orders
cross join credited
where
    money.revenue <> orders.revenue
    or money.attributed_revenue <> orders.revenue
    or credited.revenue <> orders.revenue

union all

select
    'refunds of ' || cast(date as string) as which,
    0 as sessions,
    refunds as revenue,
    0 as cost

from dates_of_refunds
where refunds <> 0
