{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    unique_key='event_key',
    meta={'touched_by': 'occurred_at'},
    post_hook="{{ remember_arrivals() }}"
) }}

with

events as (

    select * from {{ ref('int_events') }}

),

{% if is_incremental() %}

    arrivals as (

        select
            visitor_key,
            min(occurred_at) as arrived_from

        from events
        where {{ arrived_since_last_build() }}
        group by visitor_key

    ),

    -- the visit that the earliest arrival falls into or follows is built again, and all after it
    touched as (

        select
            arrivals.visitor_key,
            least(
                arrivals.arrived_from, coalesce(min(kept.visit_started_at), arrivals.arrived_from)
            ) as touched_from

        from arrivals
        left join {{ this }} as kept
            on arrivals.visitor_key = kept.visitor_key
            and kept.occurred_at <= arrivals.arrived_from
            and kept.occurred_at >= {{ dbt.dateadd(
                'minute', '-' ~ var('session_timeout_minutes'), 'arrivals.arrived_from'
            ) }}
        group by arrivals.visitor_key, arrivals.arrived_from

    ),

{% endif %}

-- narrow on purpose: strings do not travel through the windows
events_narrow as (

    select
        events.event_key,
        events.visitor_key,
        events.source_system,
        events.load_id,
        events.occurred_at,
        events.sequence,
        events.event_id,
        events.event_name = 'page_view' as is_page_view,
        {{ carries_source() }} as carries_source,
        events.page_url is not null as carries_page

    from events

    {% if is_incremental() %}
        inner join touched
            on events.visitor_key = touched.visitor_key
            and events.occurred_at >= touched.touched_from
    {% endif %}

),

events_in_order as (

    select
        *,
        row_number() over (
            partition by visitor_key order by occurred_at, sequence, event_id
        ) as position,
        lag(occurred_at) over (
            partition by visitor_key order by occurred_at, sequence, event_id
        ) as previous_at

    from events_narrow

),

visit_starts_marked as (

    select
        *,
        case when {{ is_visit_start('occurred_at', 'previous_at') }} then position end
            as visit_start_position

    from events_in_order

),

events_in_visit as (

    select
        *,
        max(visit_start_position) over (
            partition by visitor_key order by position
            rows between unbounded preceding and current row
        ) as visit_position,
        max(case when visit_start_position is not null then occurred_at end) over (
            partition by visitor_key order by position
            rows between unbounded preceding and current row
        ) as visit_started_at

    from visit_starts_marked

),

-- a visit longer than the maximum is cut at every full maximum after its start
events_in_part as (

    select
        *,
        cast(
            floor(
                {{ seconds_between('visit_started_at', 'occurred_at') }}
                / ({{ var('session_maximum_hours') }} * 3600.0)
            ) as integer
        ) as visit_part

    from events_in_visit

)

select
    events_in_part.event_key,
    {{ internal_key([
        'events_in_part.visitor_key',
        'events_in_part.visit_started_at',
        'events_in_part.visit_part'
    ]) }} as session_key,
    events_in_part.source_system,
    events_in_part.load_id,
    events_in_part.occurred_at,
    events_in_part.visit_started_at,
    events_in_part.visit_part,
    cast(events_in_part.position - events_in_part.visit_position + 1 as integer) as event_number,
    events_in_part.is_page_view,
    events_in_part.carries_source,
    events_in_part.carries_page,
{% if is_incremental() %}
    touched.visitor_key,
    touched.touched_from

from touched
left join events_in_part on touched.visitor_key = events_in_part.visitor_key
{% else %}
    events_in_part.visitor_key

from events_in_part
{% endif %}
