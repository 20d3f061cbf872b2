{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['event_key', 'macro_conversion'],
    meta={'notes_changes': true, 'speaks_of': ['session_key']}
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

macro_events as (

    select * from {{ ref('int_macro_events') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

orders as (

    select * from {{ ref('stg_orders__orders') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

-- an order counts once over all time; without an order id the event itself is the order
copies_ranked as (

    select
        macro_events.*,
        order_events.source_system,
        order_events.event_id,
        order_events.order_id,
        order_events.value,
        order_events.currency,
        rules.value_source,
        rules.fixed_value,
        rules.state_item_key,
        row_number() over (
            partition by
                macro_events.macro_conversion,
                case when rules.counting = 'once_per_session' then macro_events.session_key end,
                case when rules.counting = 'once_per_order' then order_events.order_id end,
                case
                    when
                        rules.counting = 'every'
                        or (rules.counting = 'once_per_order' and order_events.order_id is null)
                        then macro_events.event_key
                end
            order by
                macro_events.occurred_at,
                macro_events.sequence,
                order_events.event_id,
                macro_events.event_key
        ) as copy_number

    from macro_events
    inner join order_events on macro_events.event_key = order_events.event_key
    inner join rules on macro_events.macro_conversion = rules.conversion

),

-- an order that stands in several files: the row that landed last; a negative row is a refund
orders_ranked as (

    select
        *,
        row_number() over (
            partition by order_id order by load_id desc, row_number desc
        ) as copy_number

    from orders
    where order_id is not null and value >= 0

),

-- what gives money back is a refund; of a goal with an amount below nothing none is known
firsts as (

    select
        *,
        case
            when value_source = 'fixed' then fixed_value
            when value >= 0 then value
        end as event_value,
        case
            when value_source <> 'fixed' and currency is not null then currency
            else '{{ var("reporting_currency") }}'
        end as event_currency

    from copies_ranked
    where copy_number = 1

),

-- an order in a currency without a rate, or of more than anybody believes, is not guessed: its
-- event speaks instead
firsts_priced as (

    select
        firsts.*,
        case
            when firsts.value_source = 'orders'
                then {{ in_reporting_currency('orders_ranked.value', 'order_rates.rate') }}
        end as order_value,
        {{ in_reporting_currency('firsts.event_value', 'event_rates.rate') }} as own_value

    from firsts
    left join orders_ranked
        on firsts.order_id = orders_ranked.order_id
        and orders_ranked.copy_number = 1
    left join currency_rates as order_rates
        on orders_ranked.currency = order_rates.currency
        and {{ rate_holds('order_rates', 'firsts.occurred_at') }}
    left join currency_rates as event_rates
        on firsts.event_currency = event_rates.currency
        and {{ rate_holds('event_rates', 'firsts.occurred_at') }}

)

select
    firsts_priced.event_key,
    firsts_priced.macro_conversion,
    firsts_priced.source_system,
    firsts_priced.event_id,
    firsts_priced.order_id,
    firsts_priced.visitor_key,
    coalesce(identities.user_key, firsts_priced.visitor_key) as user_key,
    firsts_priced.session_key,
    firsts_priced.state_item_key,
    firsts_priced.occurred_at,
    firsts_priced.sequence,
    firsts_priced.event_number,
    coalesce(firsts_priced.order_value, firsts_priced.own_value, 0) as value,
    case
        when firsts_priced.order_value is not null then 'orders'
        when firsts_priced.own_value is null then 'none'
        when firsts_priced.value_source = 'fixed' then 'fixed'
        else 'event'
    end as value_source

from firsts_priced
left join identities on firsts_priced.visitor_key = identities.visitor_key
