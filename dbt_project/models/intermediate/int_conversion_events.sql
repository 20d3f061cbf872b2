{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    unique_key='event_key',
    meta={'touched_by': 'visit_started_at'},
    post_hook="{{ remember_arrivals() }}"
) }}

with

qualified_events as (

    select * from {{ ref('int_qualified_events') }}

),

session_events as (

    select * from {{ ref('int_session_events') }}

),

{% if is_incremental() %}

    touched as (

        select
            visitor_key,
            min(visit_started_at) as touched_from

        from session_events
        where {{ arrived_since_last_build() }}
        group by visitor_key

    ),

{% endif %}

conversion_events as (

    select
        qualified_events.event_key,
        session_events.session_key,
        session_events.visit_started_at,
        session_events.event_number,
        qualified_events.visitor_key,
        qualified_events.conversion_type,
        qualified_events.conversion,
        qualified_events.occurred_at,
        qualified_events.sequence,
        qualified_events.event_id,
        qualified_events.order_id,
        qualified_events.value,
        qualified_events.currency

    from qualified_events
    inner join session_events on qualified_events.event_key = session_events.event_key

    {% if is_incremental() %}
        inner join touched
            on session_events.visitor_key = touched.visitor_key
            and session_events.visit_started_at >= touched.touched_from
    {% endif %}

)

select
    conversion_events.event_key,
    conversion_events.session_key,
    conversion_events.visit_started_at,
    conversion_events.event_number,
    conversion_events.conversion_type,
    conversion_events.conversion,
    conversion_events.occurred_at,
    conversion_events.sequence,
    conversion_events.event_id,
    conversion_events.order_id,
    conversion_events.value,
    conversion_events.currency,
{% if is_incremental() %}
    touched.visitor_key,
    touched.touched_from

from touched
left join conversion_events on touched.visitor_key = conversion_events.visitor_key
{% else %}
    conversion_events.visitor_key

from conversion_events
{% endif %}
