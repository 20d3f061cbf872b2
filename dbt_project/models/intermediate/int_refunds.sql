with

order_events as (

    select * from {{ ref('int_order_events') }}

),

orders as (

    select * from {{ ref('stg_orders__orders') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

refund_rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'refund'

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

-- a refund event without an amount gives the whole order back
refund_events as (

    select
        refund_rules.conversion as macro_conversion,
        order_events.event_key as refund_key,
        order_events.event_id as refund_id,
        order_events.order_id,
        order_events.occurred_at,
        'event' as refund_source,
        case when refund_rules.value_source <> 'fixed' then abs(order_events.value) end
            as stated_value,
        coalesce(order_events.currency, '{{ var("reporting_currency") }}') as currency

    from order_events
    inner join refund_rules on {{ has_bit('order_events.rules_met', 'refund_rules.rule_bit') }}

),

order_rows as (

    select
        *,
        ordered_at as occurred_at

    from orders

),

-- a time that cannot be read or believed is no date to take money off: once put right it would do
-- so a second time
negative_rows as (

    select
        *,
        max(occurred_at) over (partition by order_id, value, currency) as known_time

    from order_rows
    where
        order_id is not null
        and value < 0
        and {{ is_usable_order_time('order_rows') }}

),

-- a negative row of the orders table is a refund; the same row in another file is the same one, and
-- so is one without a time where the same amount has one
refund_rows as (

    select
        rules.conversion as macro_conversion,
        negative_rows.order_id,
        coalesce(negative_rows.occurred_at, min(negative_rows.landed_at)) as occurred_at,
        abs(negative_rows.value) as stated_value,
        negative_rows.currency

    from negative_rows
    inner join rules on rules.value_source = 'orders'
    where negative_rows.occurred_at is not null or negative_rows.known_time is null
    group by
        rules.conversion, negative_rows.order_id, negative_rows.occurred_at, negative_rows.value,
        negative_rows.currency

),

refunds as (

    select
        macro_conversion,
        refund_key,
        refund_id,
        order_id,
        occurred_at,
        refund_source,
        stated_value,
        currency

    from refund_events

    union all

    select
        macro_conversion,
        {{ internal_key(['order_id', 'occurred_at', 'stated_value', 'currency']) }} as refund_key,
        concat_ws(
            ' ', order_id, cast(occurred_at as string), cast(stated_value as string), currency
        ) as refund_id,
        order_id,
        occurred_at,
        'orders' as refund_source,
        stated_value,
        currency

    from refund_rows

),

-- the macro-conversion that an order number stands for; its first one where a goal counts more
orders_counted as (

    select
        macro_conversion,
        order_id,
        event_key,
        session_key,
        value,
        row_number() over (
            partition by macro_conversion, order_id
            order by occurred_at, sequence, event_id, event_key
        ) as copy_number

    from macro_conversions
    where order_id is not null

),

refunds_matched as (

    select
        refunds.*,
        orders_counted.event_key,
        orders_counted.session_key,
        coalesce(orders_counted.value, 0) as order_value,
        -- in a currency without a rate, or of more than anybody believes, nothing is guessed
        case
            when refunds.stated_value is null then coalesce(orders_counted.value, 0)
            else
                coalesce(
                    {{ in_reporting_currency('refunds.stated_value', 'currency_rates.rate') }}, 0
                )
        end as amount,
        -- what the orders table says of an order, no event says again
        count(case when refunds.refund_source = 'orders' then 1 end) over (
            partition by refunds.macro_conversion, refunds.order_id
        ) as rows_of_orders

    from refunds
    left join orders_counted
        on refunds.macro_conversion = orders_counted.macro_conversion
        and refunds.order_id = orders_counted.order_id
        and orders_counted.copy_number = 1
    left join currency_rates
        on refunds.currency = currency_rates.currency
        and {{ rate_holds('currency_rates', 'refunds.occurred_at') }}

),

refunds_speaking as (

    select *
    from refunds_matched
    where refund_source = 'orders' or rows_of_orders = 0 or order_id is null

),

-- no more can be given back than the order brought
refunds_summed as (

    select
        *,
        sum(amount) over (
            partition by macro_conversion, order_id order by occurred_at, refund_id, refund_key
            rows between unbounded preceding and current row
        ) - amount as given_back_before

    from refunds_speaking

)

select
    macro_conversion,
    refund_key,
    refund_id,
    order_id,
    event_key,
    session_key,
    occurred_at,
    {{ reporting_date('occurred_at') }} as refund_date,
    refund_source,
    event_key is not null as is_known_order,
    cast(
        least(order_value, given_back_before + amount) - least(order_value, given_back_before)
        as decimal(18, 4)
    ) as value

from refunds_summed
