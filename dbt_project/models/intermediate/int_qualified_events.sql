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
    where {{ arrived_since_last_build() }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

-- few rows against the many accepted ones
not_accepted as (

    select
        source_system,
        load_id,
        row_number

    from receipts
    where outcome <> 'accepted'

),

events_named as (

    select
        staged_events.*,
        rules.conversion_type,
        rules.conversion,
        rules.operator,
        rules.threshold,
        {{ compared_property('staged_events', 'rules.property') }} as compared

    from staged_events
    inner join rules on staged_events.event_name = rules.event_name

),

events_qualified as (

    select * from events_named
    where operator is null or {{ is_met('compared', 'operator', 'threshold') }}

)

select
    events_qualified.event_key,
    events_qualified.visitor_key,
    events_qualified.source_system,
    events_qualified.load_id,
    events_qualified.conversion_type,
    events_qualified.conversion,
    events_qualified.occurred_at,
    events_qualified.sequence,
    {% for name, expression in {
        'event_id': 'events_qualified.event_id',
        'order_id': real_order_id('events_qualified.order_id'),
        'value': 'events_qualified.value',
        'currency': 'events_qualified.currency'
    }.items() %}
        case when events_qualified.conversion_type <> 'micro' then {{ expression }} end
            as {{ name }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}

from events_qualified
left join not_accepted
    on events_qualified.load_id = not_accepted.load_id
    and events_qualified.row_number = not_accepted.row_number
    and events_qualified.source_system = not_accepted.source_system
where not_accepted.row_number is null
