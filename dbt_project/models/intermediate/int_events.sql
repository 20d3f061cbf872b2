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

event_dictionary as (

    select * from {{ ref('event_dictionary') }}

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

accepted as (

    select staged_events.*

    from staged_events
    left join not_accepted
        on staged_events.load_id = not_accepted.load_id
        and staged_events.row_number = not_accepted.row_number
        and staged_events.source_system = not_accepted.source_system
    where not_accepted.row_number is null

)

select
    ---------- keys
    {{ internal_key(['accepted.source_system', 'accepted.event_id']) }} as event_key,
    {{ internal_key(['accepted.visitor_id']) }} as visitor_key,
    accepted.event_id,
    accepted.source_system,
    accepted.load_id,
    accepted.visitor_id,
    accepted.user_id,
    accepted.source_session_id,

    ---------- times and order
    accepted.occurred_at,
    accepted.sequence,
    accepted.loaded_at,

    ---------- what happened
    coalesce(
        named.event_name, named_anywhere.event_name, accepted.source_event_name
    ) as event_name,
    accepted.source_event_name,
    accepted.page_url,
    accepted.page_referrer,
    accepted.properties,
    accepted.value,
    accepted.currency,
    -- a placeholder is no order id: several orders carry it
    case
        when lower(trim(accepted.order_id)) not in (
                '', '(not set)', 'null', 'undefined', 'none', 'n/a'
            ) then accepted.order_id
    end as order_id,

    ---------- where the visit came from
    {{ known_text('accepted.source') }} as source,
    {{ known_text('accepted.medium') }} as medium,
    {{ known_text('accepted.campaign') }} as campaign,
    accepted.term,
    accepted.content,
    accepted.gclid,
    accepted.gbraid,
    accepted.wbraid,
    accepted.fbclid,
    accepted.source_channel_group,

    ---------- visitor's surroundings and consent
    accepted.device_category,
    accepted.country,
    accepted.user_agent,
    accepted.consent_analytics,
    accepted.consent_ads

from accepted
left join event_dictionary as named
    on accepted.source_system = named.source_system
    and accepted.source_event_name = named.source_event_name
left join event_dictionary as named_anywhere
    on named_anywhere.source_system = 'any'
    and accepted.source_event_name = named_anywhere.source_event_name
