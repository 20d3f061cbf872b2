{%- set visitor = ['visitor_key', 'given_session_key'] if var('session_id_source') == 'source'
    else ['visitor_key'] -%}
{%- set by_time = 'occurred_at, sequence' -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    unique_key='event_key',
    meta={'touched_by': 'occurred_at'},
    post_hook="{{ remember_arrivals() }}"
) }}

{#- no visit that an arrival touches began before this moment; where the source says what a visit
    is, none of a touched visitor stays -#}
{%- set earliest = "min(timestamp '0001-01-01 00:00:00')" if var('session_id_source') == 'source'
    else 'least(min(arrived.arrived_from), min(kept.visit_started_at))' -%}
{%- set earliest_touched -%}
    with arrived as (
        select min(occurred_at) as arrived_from from {{ ref('int_event_receipts') }}
        where outcome = 'accepted' and {{ arrived_since_last_build() }}
        -- no row instead of null, for which all kept events would be gone through
        having min(occurred_at) is not null
    )
    select {{ earliest }}
    from arrived
    left join {{ this }} as kept
        on kept.occurred_at >= {{ dbt.dateadd(
            'minute', '-' ~ var('session_timeout_minutes'), 'arrived.arrived_from'
        ) }}
{%- endset %}

with

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

{% if is_incremental() and var('session_id_source') == 'source' %}

    -- the source's sessions of one visitor may overlap, so none of them stays
    touched as (

        select
            visitor_key,
            timestamp '0001-01-01 00:00:00' as touched_from

        from receipts
        where {{ arrived_since_last_build() }}
        group by visitor_key

    ),

{% elif is_incremental() %}

    arrivals as (

        select
            visitor_key,
            min(occurred_at) as arrived_from

        from receipts
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
        receipts.event_key,
        receipts.visitor_key,
        receipts.load_id,
        receipts.row_number,
        receipts.occurred_at,
        receipts.sequence,
        -- null unless the source's own sessions are asked for
        case
            when receipts.source_session_id is not null
                then {{ internal_key(['receipts.source_system', 'receipts.source_session_id']) }}
        end as given_session_key,
        receipts.is_page_view,
        receipts.carries_source,
        receipts.carries_page,
        receipts.rules_met,
        receipts.campaign_key

    from receipts

    {% if is_incremental() %}
        inner join touched
            on receipts.visitor_key = touched.visitor_key
            and receipts.occurred_at >= touched.touched_from
    {% endif %}

),

-- sorted once: all that follows up to the ties reads the rows in this order
events_sorted as (

    select * from events_narrow
    order by {{ visitor | join(', ') }}, {{ by_time }}

),

events_compared as (

    select
        *,
        {% for name, function in {
            'position': 'row_number()',
            'visitor_before': 'lag(visitor_key)',
            'session_before': 'lag(given_session_key)',
            'at_before': 'lag(occurred_at)',
            'sequence_before': 'lag(sequence)',
            'visitor_behind': 'lead(visitor_key)',
            'session_behind': 'lead(given_session_key)',
            'at_behind': 'lead(occurred_at)',
            'sequence_behind': 'lead(sequence)'
        }.items() %}
            {{ in_sorted_rows(function, visitor, by_time) }} as {{ name }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from events_sorted

),

events_with_neighbours as (

    select
        *,
        coalesce(
            visitor_before = visitor_key
            and session_before is not distinct from given_session_key, false
        ) as follows_own,
        coalesce(
            visitor_behind = visitor_key
            and session_behind is not distinct from given_session_key, false
        ) as precedes_own

    from events_compared

),

visit_starts_marked as (

    select
        *,
        -- the source's own session has no gaps
        not follows_own
        or (given_session_key is null and {{ is_visit_start('occurred_at', 'at_before') }})
            as starts_visit,
        (
            follows_own
            and occurred_at = at_before
            and sequence is not distinct from sequence_before
        )
        or (
            precedes_own
            and occurred_at = at_behind
            and sequence is not distinct from sequence_behind
        ) as is_tied

    from events_with_neighbours

),

-- the first event of a visitor starts a visit, so no visit goes on into the next visitor's rows
events_by_time as (

    select
        *,
        {{ in_sorted_rows(
            last_known('case when starts_visit then position end'),
            visitor, 'position', so_far=true
        ) }} as visit_position,
        {{ in_sorted_rows(
            last_known('case when starts_visit then occurred_at end'),
            visitor, 'position', so_far=true
        ) }} as visit_started_at

    from visit_starts_marked

),

-- only events that share moment and sequence need their ids, which are long, to be put in order
events_tied as (

    select * from events_by_time
    where is_tied

),

-- a semi join first: the few tied events are looked for while the many are read; a source without
-- ids of its own is not read at all
ids_of_tied as (

    select
        event_key,
        load_id,
        row_number,
        own_event_id

    from staged_events
    where
        own_event_id is not null
        and (load_id, row_number) in (
            select distinct
                events_tied.load_id,
                events_tied.row_number
            from events_tied
        )

),

tied_with_ids as (

    select
        events_tied.*,
        ids_of_tied.own_event_id

    from events_tied
    -- a raw row may have been retired since; the key as in int_all_sessions
    left join ids_of_tied
        on events_tied.load_id = ids_of_tied.load_id
        and events_tied.row_number = ids_of_tied.row_number
        {{ 'and events_tied.event_key = ids_of_tied.event_key'
            if var('attached_sources') else '' }}

),

-- a visit starts with the first of its ties or before, so only their places change
ties as (

    select
        event_key,
        min(position) over tied + row_number() over tied_by_id - 1 as position

    from tied_with_ids
    window
        tied as (partition by visitor_key, given_session_key, occurred_at, sequence),
        tied_by_id as (
            partition by visitor_key, given_session_key, occurred_at, sequence
            order by own_event_id, event_key
        )

),

-- apart, so that the many without a tie are not looked up among the few
events_in_visit as (

    select
        event_key,
        visitor_key,
        load_id,
        occurred_at,
        sequence,
        given_session_key,
        is_page_view,
        carries_source,
        carries_page,
        rules_met,
        campaign_key,
        visit_position,
        visit_started_at,
        position

    from events_by_time
    where not is_tied

    union all

    select
        events_tied.event_key,
        events_tied.visitor_key,
        events_tied.load_id,
        events_tied.occurred_at,
        events_tied.sequence,
        events_tied.given_session_key,
        events_tied.is_page_view,
        events_tied.carries_source,
        events_tied.carries_page,
        events_tied.rules_met,
        events_tied.campaign_key,
        events_tied.visit_position,
        events_tied.visit_started_at,
        ties.position

    from events_tied
    inner join ties on events_tied.event_key = ties.event_key

),

{% if var('session_cut_at_campaign') %}

    campaigns_seen as (

        select
            *,
            {{ last_known('campaign_key') }} over (
                partition by visitor_key, given_session_key, visit_position order by position
                rows between unbounded preceding and 1 preceding
            ) as previous_campaign_key

        from events_in_visit

    ),

    -- another campaign than the one that the visit had so far
    campaigns_numbered as (

        select
            *,
            cast(count(case when campaign_key <> previous_campaign_key then 1 end) over (
                partition by visitor_key, given_session_key, visit_position order by position
                rows between unbounded preceding and current row
            ) as integer) as campaign_number

        from campaigns_seen

    ),

    events_in_campaign as (

        select
            *,
            min(occurred_at) over (
                partition by visitor_key, given_session_key, visit_position, campaign_number
            ) as campaign_started_at

        from campaigns_numbered

    ),

{% else %}

    events_in_campaign as (

        select
            *,
            0 as campaign_number,
            visit_started_at as campaign_started_at

        from events_in_visit

    ),

{% endif %}

-- a visit longer than the maximum is cut at every full maximum after its start
events_in_part as (

    select
        *,
        cast(
            floor(
                {{ seconds_between('campaign_started_at', 'occurred_at') }}
                / ({{ var('session_maximum_hours') }} * 3600.0)
            ) as integer
        ) as visit_part

    from events_in_campaign

)

select
    events_in_part.event_key,
    {{ internal_key_of_day('events_in_part.visit_started_at', [
        'events_in_part.visitor_key',
        'events_in_part.given_session_key',
        'events_in_part.visit_started_at',
        'events_in_part.campaign_number',
        'events_in_part.visit_part'
    ]) }} as session_key,
    events_in_part.load_id,
    events_in_part.occurred_at,
    events_in_part.sequence,
    events_in_part.visit_started_at,
    cast(events_in_part.campaign_number as integer) as campaign_number,
    events_in_part.visit_part,
    cast(events_in_part.position - events_in_part.visit_position + 1 as integer) as event_number,
    events_in_part.is_page_view,
    events_in_part.carries_source,
    events_in_part.carries_page,
    events_in_part.rules_met,
{% if is_incremental() %}
    touched.visitor_key,
    touched.touched_from

from touched
inner join events_in_part on touched.visitor_key = events_in_part.visitor_key
{% else %}
    events_in_part.visitor_key

from events_in_part
{% endif %}
order by session_key
