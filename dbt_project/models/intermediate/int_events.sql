{{ config(materialized='view') }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}

),

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'accepted'

),

event_names as (

    select * from {{ ref('int_event_names') }}

)

select
    ---------- keys
    receipts.event_key,
    receipts.visitor_key,
    staged_events.event_id,
    receipts.source_system,
    receipts.load_id,
    staged_events.visitor_id,
    receipts.user_id,
    staged_events.source_session_id,

    ---------- times and order
    receipts.occurred_at,
    receipts.sequence,
    staged_events.loaded_at,

    ---------- what happened
    coalesce(event_names.event_name, receipts.source_event_name) as event_name,
    receipts.source_event_name,
    staged_events.page_url,
    staged_events.page_referrer,
    staged_events.properties,
    staged_events.value,
    staged_events.currency,
    {{ real_order_id('staged_events.order_id') }} as order_id,

    ---------- where the visit came from
    {{ known_text('staged_events.source') }} as source,
    {{ known_text('staged_events.medium') }} as medium,
    {{ known_text('staged_events.campaign') }} as campaign,
    staged_events.term,
    staged_events.content,
    staged_events.gclid,
    staged_events.gbraid,
    staged_events.wbraid,
    staged_events.fbclid,
    staged_events.source_channel_group,

    ---------- visitor's surroundings and consent
    {{ known_text('staged_events.device_category') }} as device_category,
    {{ known_text('staged_events.country') }} as country,
    staged_events.user_agent,
    staged_events.consent_analytics,
    staged_events.consent_ads

from receipts
inner join staged_events
    on receipts.load_id = staged_events.load_id
    and receipts.row_number = staged_events.row_number
    and receipts.source_system = staged_events.source_system
left join event_names
    on receipts.source_system = event_names.source_system
    and receipts.source_event_name = event_names.source_event_name
