-- One row comes back for each row of the orders table that counts nowhere: no order number, or a
-- placeholder for one; no readable value; a currency without a rate on its day in the reporting
-- time zone, or more than anybody believes; a time, and so the date of a refund, that cannot be
-- read, is before var project_start_date or is later than var future_tolerance_hours after the
-- landing.
{{ config(severity='warn') }}

with

orders as (

    select
        *,
        ordered_at as occurred_at

    from {{ ref('stg_orders__orders') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

)

select
    orders.file_name,
    orders.row_number,
    orders.order_id,
    orders.value,
    orders.currency,
    orders.ordered_at,
    orders.unreadable

from orders
left join currency_rates
    on
    orders.currency = currency_rates.currency
    and {{ rate_holds('currency_rates', 'coalesce(orders.occurred_at, orders.landed_at)') }}
where
    {{ real_order_id('orders.order_id') }} is null
    or orders.value is null
    or currency_rates.rate is null
    or not {{ is_believable_amount('orders.value', 'currency_rates.rate') }}
    or not {{ is_usable_order_time('orders') }}
-- the night's log shows the first of them
order by orders.load_id desc, orders.row_number asc
