{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'accepted' and {{ arrived_since_last_build() }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

rules_about_money as (

    select cast(sum(rule_bit) as bigint) as rule_bits from rules
    where conversion_type in ('macro', 'refund')

),

receipts_about_money as (

    select receipts.*

    from receipts
    inner join rules_about_money
        on {{ has_bit('receipts.rules_met', 'rules_about_money.rule_bits') }}

)

select
    receipts_about_money.event_key,
    receipts_about_money.source_system,
    receipts_about_money.load_id,
    receipts_about_money.rules_met,
    receipts_about_money.occurred_at,
    receipts_about_money.sequence,
    staged_events.event_id,
    {{ real_order_id('staged_events.order_id') }} as order_id,
    staged_events.value,
    staged_events.currency

from receipts_about_money
inner join staged_events
    on receipts_about_money.load_id = staged_events.load_id
    and receipts_about_money.row_number = staged_events.row_number
    and receipts_about_money.source_system = staged_events.source_system
    -- tells the reading of raw which names are asked for: the rest of other events stays shut
    and receipts_about_money.source_event_name = staged_events.source_event_name
