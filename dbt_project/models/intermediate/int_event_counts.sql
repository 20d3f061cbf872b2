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

required_properties as (

    select * from {{ ref('required_properties') }}

),

requirements as (

    select
        event_name,
        {{ joined_texts('property') }} as properties

    from required_properties
    group by event_name

),

-- few rows against the many accepted ones
not_accepted as (

    select
        source_system,
        load_id,
        row_number,
        outcome,
        reason

    from receipts
    where outcome <> 'accepted'

),

-- every raw row with what became of it: all that is read of the events stands here
rows_read as (

    select
        staged_events.*,
        not_accepted.outcome,
        not_accepted.reason

    from staged_events
    left join not_accepted
        on staged_events.load_id = not_accepted.load_id
        and staged_events.row_number = not_accepted.row_number
        and staged_events.source_system = not_accepted.source_system

),

rows_named as (

    select
        rows_read.*,
        coalesce(named.event_name, named_anywhere.event_name) as known_name

    from rows_read
    left join event_dictionary as named
        on rows_read.source_system = named.source_system
        and rows_read.source_event_name = named.source_event_name
    left join event_dictionary as named_anywhere
        on named_anywhere.source_system = 'any'
        and rows_read.source_event_name = named_anywhere.source_event_name

),

-- a time that cannot be believed would put the row where nobody looks: its landing speaks instead
rows_judged as (

    select
        rows_named.source_system,
        rows_named.load_id,
        {{ reporting_date('rows_named.landed_at') }} as landed_date,
        case
            when
                rows_named.occurred_at >= timestamp '{{ var("project_start_date") }}'
                and rows_named.occurred_at <= {{ dbt.dateadd(
                    'hour', var('future_tolerance_hours'), 'rows_named.landed_at'
                ) }}
                then {{ reporting_date('rows_named.occurred_at') }}
            else {{ reporting_date('rows_named.landed_at') }}
        end as date,
        -- a name is a word: one of megabytes is cut
        substring(coalesce(rows_named.source_event_name, '(none)'), 1, 200) as source_event_name,
        rows_named.known_name as event_name,
        coalesce(rows_named.outcome, 'accepted') as outcome,
        rows_named.reason,
        case
            when rows_named.outcome is null and requirements.properties is not null
                then {{ is_true_for_any(
                    'requirements.properties',
                    compared_property('rows_named', 'each_text') ~ ' is null'
                ) }}
            else false
        end as is_incomplete,
        rows_named.outcome is null
        and rows_named.occurred_at < {{ dbt.dateadd(
            'hour', '-' ~ var('late_event_hours'), 'rows_named.landed_at'
        ) }} as is_late

    from rows_named
    left join requirements
        on coalesce(rows_named.known_name, rows_named.source_event_name) = requirements.event_name

)

select
    source_system,
    load_id,
    landed_date,
    date,
    source_event_name,
    event_name,
    outcome,
    reason,
    count(*) as events,
    count(case when is_incomplete then 1 end) as incomplete,
    count(case when is_late then 1 end) as late

from rows_judged
group by
    source_system, load_id, landed_date, date, source_event_name, event_name, outcome, reason
