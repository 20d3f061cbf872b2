-- One row comes back when the sessions' revenue is not the sum of the macro-conversions.
with

macro_totals as (

    select
        count(*) as macro_conversions,
        coalesce(sum(value), 0) as revenue

    from {{ ref('mart_macro_conversions') }}

),

session_totals as (

    select
        coalesce(sum(macro_conversions), 0) as macro_conversions,
        coalesce(sum(revenue), 0) as revenue

    from {{ ref('mart_sessions') }}

),

attributed_totals as (

    select coalesce(sum(attributed_revenue), 0) as revenue from {{ ref('mart_daily_values') }}

)

select
    macro_totals.macro_conversions,
    macro_totals.revenue,
    session_totals.revenue as session_revenue,
    attributed_totals.revenue as attributed_revenue

from macro_totals
cross join session_totals
cross join attributed_totals
where
    macro_totals.macro_conversions <> session_totals.macro_conversions
    or macro_totals.revenue <> session_totals.revenue
    or macro_totals.revenue <> attributed_totals.revenue
