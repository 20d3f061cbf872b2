{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    unique_key='session_key',
    meta={'touched_by': 'started_at'},
    post_hook="{{ remember_arrivals() }}"
) }}

with

all_session_events as (

    select * from {{ ref('int_session_events') }}

),

events as (

    select * from {{ ref('int_events') }}

),

{% if is_incremental() %}

    touched as (

        select
            visitor_key,
            min(visit_started_at) as touched_from

        from all_session_events
        where {{ arrived_since_last_build() }}
        group by visitor_key

    ),

    session_events as (

        select all_session_events.*

        from all_session_events
        inner join touched
            on all_session_events.visitor_key = touched.visitor_key
            and all_session_events.occurred_at >= touched.touched_from

    ),

    sessions_before as (

        select
            touched.visitor_key,
            count(*) as sessions_before

        from touched
        inner join {{ this }} as kept
            on touched.visitor_key = kept.visitor_key
            and kept.started_at < touched.touched_from
        group by touched.visitor_key

    ),

{% else %}

    session_events as (

        select * from all_session_events

    ),

{% endif %}

sessions_counted as (

    select
        session_key,
        visitor_key,
        min(visit_part) as visit_part,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        count(case when is_page_view then 1 end) as page_views,
        min_by(event_key, event_number) as first_event_key,
        min_by(event_key, case when carries_source then event_number end) as source_event_key,
        min_by(event_key, case when carries_page then event_number end) as page_event_key

    from session_events
    group by session_key, visitor_key

),

sessions_numbered as (

    select
        sessions_counted.*,
        row_number()
            over (
                partition by sessions_counted.visitor_key order by sessions_counted.started_at
            )
        {% if is_incremental() %}
            + coalesce(sessions_before.sessions_before, 0)
        {% endif %}
            as session_number

    from sessions_counted
    {% if is_incremental() %}
        left join sessions_before
            on sessions_counted.visitor_key = sessions_before.visitor_key
    {% endif %}

),

-- strings are fetched for the one event of each session that gives them
sessions_described as (

    select
        sessions_numbered.*,
        first_event.visitor_id,
        first_event.device_category,
        first_event.country,
        source_event.occurred_at as sourced_at,
        source_event.source as event_source,
        source_event.medium as event_medium,
        source_event.campaign as event_campaign,
        coalesce(
            source_event.gclid, source_event.gbraid, source_event.wbraid
        ) is not null as has_google_click,
        source_event.fbclid is not null as has_meta_click,
        source_event.source_channel_group,
        page_event.page_url as landing_page_url

    from sessions_numbered
    inner join events as first_event
        on sessions_numbered.first_event_key = first_event.event_key
    left join events as source_event
        on sessions_numbered.source_event_key = source_event.event_key
    left join events as page_event
        on sessions_numbered.page_event_key = page_event.event_key

),

sessions_sourced as (

    select
        *,
        {{ session_source('event_source', 'event_medium', 'has_google_click', 'has_meta_click') }}
            as known_source,
        {{ session_medium('event_source', 'event_medium', 'has_google_click', 'has_meta_click') }}
            as known_medium

    from sessions_described

)

select
    sessions_sourced.session_key,
    {{ public_key(
        "sessions_sourced.visitor_id || '|' || cast(sessions_sourced.started_at as varchar)"
    ) }} as public_session_key,
    sessions_sourced.visitor_id,
    cast(sessions_sourced.session_number as integer) as session_number,
    case when sessions_sourced.session_number = 1 then 'new' else 'returning' end as visitor_type,
    sessions_sourced.started_at,
    sessions_sourced.ended_at,
    {{ reporting_date('sessions_sourced.started_at') }} as session_date,
    sessions_sourced.visit_part > 0 as is_continuation,
    coalesce(sessions_sourced.known_source, '(direct)') as source,
    coalesce(
        sessions_sourced.known_medium,
        case when sessions_sourced.known_source is null then '(none)' else '(not set)' end
    ) as medium,
    coalesce(sessions_sourced.event_campaign, '(not set)') as campaign,
    sessions_sourced.source_channel_group,
    sessions_sourced.sourced_at,
    coalesce(sessions_sourced.device_category, '(not set)') as device_category,
    coalesce(sessions_sourced.country, '(not set)') as country,
    split_part(sessions_sourced.landing_page_url, '?', 1) as landing_page,
    sessions_sourced.events,
    sessions_sourced.page_views,
{% if is_incremental() %}
    touched.visitor_key,
    touched.touched_from

from touched
left join sessions_sourced on touched.visitor_key = sessions_sourced.visitor_key
{% else %}
    sessions_sourced.visitor_key

from sessions_sourced
{% endif %}
