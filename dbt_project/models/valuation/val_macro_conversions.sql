{{ config(tags=['quarterly']) }}

with

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

orders as (

    select * from {{ ref('stg_orders__orders') }}
    where order_id is not null and value >= 0

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

-- of an order that stands in several loads the row that was there on the version date; where none
-- was, as when years are loaded at once, the load that brought the order
orders_ranked as (

    select
        *,
        row_number() over (
            partition by order_id
            order by
                case when landed_at < {{ version_moment() }} then -load_id end nulls last,
                load_id,
                row_number desc
        ) as place_then,
        row_number() over (
            partition by order_id order by load_id desc, row_number desc
        ) as place_now

    from orders

),

orders_then as (

    select
        order_id,
        value,
        currency

    from orders_ranked
    where place_then = 1 and place_now > 1

),

-- an order in a currency without a rate, or of more than anybody believes, is not guessed: its
-- event speaks instead
amounts_then as (

    select
        macro_conversions.event_key,
        macro_conversions.macro_conversion,
        {{ in_reporting_currency('orders_then.value', 'order_rates.rate') }} as order_value,
        -- as in int_macro_conversions: what gives money back is a refund
        case
            when order_events.value >= 0
                then {{ in_reporting_currency('order_events.value', 'event_rates.rate') }}
        end as own_value

    from macro_conversions
    inner join orders_then on macro_conversions.order_id = orders_then.order_id
    inner join order_events on macro_conversions.event_key = order_events.event_key
    left join currency_rates as order_rates
        on orders_then.currency = order_rates.currency
        and {{ rate_holds('order_rates', 'macro_conversions.occurred_at') }}
    left join currency_rates as event_rates
        on coalesce(order_events.currency, '{{ var("reporting_currency") }}')
        = event_rates.currency
        and {{ rate_holds('event_rates', 'macro_conversions.occurred_at') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

)

select
    macro_conversions.event_key,
    macro_conversions.macro_conversion,
    macro_conversions.visitor_key,
    macro_conversions.session_key,
    macro_conversions.occurred_at,
    macro_conversions.sequence,
    macro_conversions.event_number,
    cast(
        case
            when amounts_then.event_key is null or rules.value_source <> 'orders'
                then macro_conversions.value
            else coalesce(amounts_then.order_value, amounts_then.own_value, 0)
        end as decimal(18, 4)
    ) as value,
    case
        when amounts_then.event_key is null or rules.value_source <> 'orders'
            then macro_conversions.value_source
        when amounts_then.order_value is not null then 'orders'
        when amounts_then.own_value is not null then 'event'
        else 'none'
    end as value_source

from macro_conversions
inner join rules on macro_conversions.macro_conversion = rules.conversion
left join amounts_then
    on macro_conversions.event_key = amounts_then.event_key
    and macro_conversions.macro_conversion = amounts_then.macro_conversion
