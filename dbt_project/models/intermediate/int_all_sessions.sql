{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    unique_key='session_key',
    meta={'touched_by': 'started_at', 'notes_changes': true},
    post_hook=["{{ remember_arrivals() }}", "{{ note_all_sessions() }}"]
) }}

{#- the source's sessions of one visitor may overlap, so none of a touched visitor stays -#}
{%- set touched_from = "timestamp '0001-01-01 00:00:00'" if var('session_id_source') == 'source'
    else 'visit_started_at' -%}
{%- set earliest_touched -%}
    select min({{ touched_from }}) from {{ ref('int_session_events') }}
    where load_id in (
        select load_id from {{ ref('int_event_receipts') }}
        where outcome = 'accepted' and {{ arrived_since_last_build() }}
    )
{%- endset %}

with

all_session_events as (

    select * from {{ ref('int_session_events') }}
    where {{ not_before('occurred_at', earliest_touched) }}

),

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'accepted' and {{ not_before('occurred_at', earliest_touched) }}

),

staged_events as (

    select * from {{ ref('int_staged_events') }}
    where
        {{ not_before('occurred_at', earliest_touched) }}
        and {{ not_landed_before(earliest_touched) }}

),

{% if is_incremental() %}

    loads_arrived as (

        select distinct load_id from receipts
        where {{ arrived_since_last_build() }}

    ),

    touched as (

        select
            visitor_key,
            min({{ touched_from }}) as touched_from

        from all_session_events
        where load_id in (select loads_arrived.load_id from loads_arrived)
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
            count(*) as sessions_before,
            max(case when kept.sourced_at is not null then kept.session_number end)
                as last_sourced_number

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
        min(event_number) as first_event_number,
        {{ 'min_by(sequence, event_number)' if sessions_may_begin_together() else '0' }}
            as first_sequence,
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
                partition by sessions_counted.visitor_key
                order by
                    sessions_counted.started_at,
                    sessions_counted.first_sequence,
                    sessions_counted.first_event_number,
                    sessions_counted.first_event_key
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

-- distinct: an event is looked up once
events_that_describe as (

    select first_event_key as event_key from sessions_numbered

    union

    select source_event_key as event_key from sessions_numbered

    union

    select page_event_key as event_key from sessions_numbered

),

-- a semi join, so that each receipt is there once, however many sessions it describes
receipts_that_describe as (

    select
        event_key,
        visitor_key,
        load_id,
        row_number,
        occurred_at,
        source_session_id

    from receipts
    where event_key in (select events_that_describe.event_key from events_that_describe)

),

-- texts are fetched from raw, for the one event of each session that gives them
texts_of_raw as (

    select
        event_key,
        load_id,
        row_number,
        visitor_id,
        {{ known_text('staged_events.device_category') }} as device_category,
        {{ known_text('staged_events.country') }} as country,
        {{ known_text('staged_events.source') }} as event_source,
        {{ known_text('staged_events.medium') }} as event_medium,
        {{ known_text('staged_events.campaign') }} as campaign,
        {{ has_google_click('staged_events') }} as has_google_click,
        {{ has_meta_click('staged_events') }} as has_meta_click,
        source_channel_group,
        split_part(page_url, '?', 1) as page

    from staged_events
    where
        (load_id, row_number) in (
            select
                receipts_that_describe.load_id,
                receipts_that_describe.row_number
            from receipts_that_describe
        )

),

texts_of_events as (

    select
        *,
        {{ session_source('event_source', 'event_medium', 'has_google_click', 'has_meta_click') }}
            as source,
        {{ session_medium('event_source', 'event_medium', 'has_google_click', 'has_meta_click') }}
            as medium

    from texts_of_raw

),

events_in_raw as (

    select
        receipts_that_describe.event_key,
        receipts_that_describe.visitor_key,
        receipts_that_describe.occurred_at,
        receipts_that_describe.source_session_id,
        texts_of_events.load_id is not null as is_in_raw,
        texts_of_events.visitor_id,
        texts_of_events.device_category,
        texts_of_events.country,
        texts_of_events.source,
        texts_of_events.medium,
        texts_of_events.campaign,
        texts_of_events.source_channel_group,
        texts_of_events.page

    from receipts_that_describe
    -- by its key only where rows may be in other places than before: an attached table may have
    -- been written anew, a landed row stays, and a key takes long to make
    left join texts_of_events
        on receipts_that_describe.load_id = texts_of_events.load_id
        and receipts_that_describe.row_number = texts_of_events.row_number
        {{ 'and receipts_that_describe.event_key = texts_of_events.event_key'
            if var('attached_sources') else '' }}

),

{% if is_incremental() %}

    -- a raw row may have been retired since: the session that held the event told of it
    sessions_that_told as (

        select
            events_in_raw.event_key,
            kept.visitor_id,
            kept.source,
            kept.medium,
            kept.campaign,
            kept.source_channel_group,
            kept.device_category,
            kept.country,
            kept.landing_page,
            row_number() over (
                partition by events_in_raw.event_key
                -- the source's own sessions may overlap
                order by
                    case
                        when events_in_raw.occurred_at in (kept.started_at, kept.sourced_at) then 0
                        else 1
                    end asc,
                    kept.started_at desc,
                    kept.session_key asc
            ) as session_rank

        from events_in_raw
        inner join {{ this }} as kept
            on events_in_raw.visitor_key = kept.visitor_key
            and events_in_raw.occurred_at >= kept.started_at
            and events_in_raw.occurred_at <= kept.ended_at
        where not events_in_raw.is_in_raw

    ),

    told as (

        select
            event_key,
            visitor_id,
            {{ known_text('source') }} as source,
            {{ known_text('medium') }} as medium,
            {{ known_text('campaign') }} as campaign,
            source_channel_group,
            {{ known_text('device_category') }} as device_category,
            {{ known_text('country') }} as country,
            landing_page

        from sessions_that_told
        where session_rank = 1

    ),

    events_described as (

        select
            events_in_raw.event_key,
            events_in_raw.occurred_at,
            events_in_raw.source_session_id,
            coalesce(events_in_raw.visitor_id, told.visitor_id) as visitor_id,
            coalesce(events_in_raw.device_category, told.device_category) as device_category,
            coalesce(events_in_raw.country, told.country) as country,
            coalesce(events_in_raw.source, told.source) as source,
            coalesce(events_in_raw.medium, told.medium) as medium,
            coalesce(events_in_raw.campaign, told.campaign) as campaign,
            coalesce(events_in_raw.source_channel_group, told.source_channel_group)
                as source_channel_group,
            coalesce(events_in_raw.page, told.landing_page) as page

        from events_in_raw
        left join told on events_in_raw.event_key = told.event_key

    ),

{% else %}

    events_described as (

        select * from events_in_raw

    ),

{% endif %}

sessions_sourced as (

    select
        sessions_numbered.*,
        -- never nobody, even if an attached table lost the row before a night got here
        coalesce(first_events.visitor_id, cast(sessions_numbered.visitor_key as string))
            as visitor_id,
        first_events.source_session_id,
        first_events.device_category,
        first_events.country,
        source_events.occurred_at as sourced_at,
        source_events.source as known_source,
        source_events.medium as known_medium,
        source_events.campaign as event_campaign,
        source_events.source_channel_group,
        page_events.page as landing_page

    from sessions_numbered
    inner join events_described as first_events
        on sessions_numbered.first_event_key = first_events.event_key
    left join events_described as source_events
        on sessions_numbered.source_event_key = source_events.event_key
    left join events_described as page_events
        on sessions_numbered.page_event_key = page_events.event_key

),

{% if var('direct_source_look_back_days') | int > 0 %}

    sources_known as (

        select
            visitor_key,
            session_number,
            started_at,
            known_source as source,
            known_medium as medium,
            event_campaign as campaign,
            source_channel_group

        from sessions_sourced
        where sourced_at is not null

        {% if is_incremental() %}
            union all

            select
                kept.visitor_key,
                kept.session_number,
                kept.started_at,
                kept.source,
                kept.medium,
                kept.campaign,
                kept.source_channel_group

            from {{ this }} as kept
            inner join sessions_before
                on kept.visitor_key = sessions_before.visitor_key
                and kept.session_number = sessions_before.last_sourced_number
        {% endif %}

    ),

    sessions_looking_back as (

        select
            sessions_sourced.*,
            case
                when sessions_sourced.sourced_at is null
                    then coalesce(
                        max(
                            case
                                when sessions_sourced.sourced_at is not null
                                    then sessions_sourced.session_number
                            end
                        ) over (
                            partition by sessions_sourced.visitor_key
                            order by sessions_sourced.session_number
                            rows between unbounded preceding and 1 preceding
                        ),
                        {{ 'sessions_before.last_sourced_number' if is_incremental()
                            else 'cast(null as integer)' }}
                    )
            end as last_sourced_number

        from sessions_sourced
        {% if is_incremental() %}
            left join sessions_before
                on sessions_sourced.visitor_key = sessions_before.visitor_key
        {% endif %}

    ),

    -- a direct session takes the last source that its visitor came from, if that is recent enough
    sessions_with_earlier as (

        select
            sessions_looking_back.*,
            sources_known.source as earlier_source,
            sources_known.medium as earlier_medium,
            sources_known.campaign as earlier_campaign,
            sources_known.source_channel_group as earlier_channel_group

        from sessions_looking_back
        left join sources_known
            on sessions_looking_back.visitor_key = sources_known.visitor_key
            and sessions_looking_back.last_sourced_number = sources_known.session_number
            and sessions_looking_back.started_at <= {{ dbt.dateadd(
                'day', var('direct_source_look_back_days'), 'sources_known.started_at'
            ) }}

    ),

{% else %}

    sessions_with_earlier as (

        select
            *,
            cast(null as string) as earlier_source,
            cast(null as string) as earlier_medium,
            cast(null as string) as earlier_campaign,
            cast(null as string) as earlier_channel_group

        from sessions_sourced

    ),

{% endif %}

sessions as (

    select
        *,
        coalesce(known_source, earlier_source) as session_source,
        coalesce(known_medium, earlier_medium) as session_medium,
        coalesce(event_campaign, earlier_campaign) as session_campaign,
        coalesce(source_channel_group, earlier_channel_group) as session_channel_group

    from sessions_with_earlier

)

select
    sessions.session_key,
    -- of the source's own sessions, and of two campaigns, several may begin at one moment
    {{ public_key(
        "sessions.visitor_id || '|' || cast(sessions.started_at as string)"
        ~ " || coalesce('|' || sessions.source_session_id, '')"
        ~ (" || '|' || cast(sessions.first_event_number as string)"
            if var('session_cut_at_campaign') else "")
    ) }} as public_session_key,
    sessions.visitor_id,
    cast(sessions.session_number as integer) as session_number,
    case when sessions.session_number = 1 then 'new' else 'returning' end as visitor_type,
    sessions.started_at,
    sessions.ended_at,
    {{ reporting_date('sessions.started_at') }} as session_date,
    sessions.visit_part > 0 as is_continuation,
    coalesce(sessions.session_source, '(direct)') as source,
    coalesce(
        sessions.session_medium,
        case when sessions.session_source is null then '(none)' else '(not set)' end
    ) as medium,
    coalesce(sessions.session_campaign, '(not set)') as campaign,
    sessions.session_channel_group as source_channel_group,
    sessions.sourced_at,
    coalesce(sessions.device_category, '(not set)') as device_category,
    coalesce(sessions.country, '(not set)') as country,
    sessions.landing_page,
    sessions.events,
    sessions.page_views,
{% if is_incremental() %}
    touched.visitor_key,
    touched.touched_from

from touched
inner join sessions on touched.visitor_key = sessions.visitor_key
{% else %}
    sessions.visitor_key

from sessions
{% endif %}
order by sessions.session_key
