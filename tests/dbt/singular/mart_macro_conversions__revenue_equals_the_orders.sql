-- One row comes back when the sessions' revenue is not the sum of the macro-conversions, or when
-- the daily values do not sum to what was left of it after refunds.
with

macro_totals as (

    select
        count(*) as macro_conversions,
        coalesce(sum(value), 0) as revenue,
        coalesce(sum(value - refunded), 0) as revenue_left

    from {{ ref('mart_macro_conversions') }}

),

session_totals as (

    select
        coalesce(sum(macro_conversions), 0) as macro_conversions,
        coalesce(sum(revenue), 0) as revenue

    from {{ ref('mart_sessions') }}

),

daily_totals as (

    select
        coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(attributed_revenue), 0) as attributed_revenue

    from {{ ref('mart_daily_values') }}

)

select
    macro_totals.macro_conversions,
    macro_totals.revenue,
    session_totals.revenue as session_revenue,
    macro_totals.revenue_left,
    daily_totals.revenue as daily_revenue,
    daily_totals.attributed_revenue

from macro_totals
cross join session_totals
cross join daily_totals
where
    macro_totals.macro_conversions <> session_totals.macro_conversions
    or macro_totals.revenue <> session_totals.revenue
    or macro_totals.revenue_left <> daily_totals.revenue
    or macro_totals.revenue_left <> daily_totals.attributed_revenue
