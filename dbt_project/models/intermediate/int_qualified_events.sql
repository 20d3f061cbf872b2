{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

events as (

    select * from {{ ref('int_events') }}
    where {{ arrived_since_last_build() }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

events_named as (

    select
        events.*,
        rules.conversion_type,
        rules.conversion,
        rules.operator,
        rules.threshold,
        {{ compared_property('events', 'rules.property') }} as compared

    from events
    inner join rules on events.event_name = rules.event_name

)

select
    event_key,
    visitor_key,
    event_id,
    source_system,
    load_id,
    conversion_type,
    conversion,
    occurred_at,
    sequence,
    case when conversion_type <> 'micro' then order_id end as order_id,
    case when conversion_type <> 'micro' then value end as value,
    case when conversion_type <> 'micro' then currency end as currency

from events_named
where operator is null or {{ is_met('compared', 'operator', 'threshold') }}
