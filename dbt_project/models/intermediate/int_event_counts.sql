{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where {{ arrived_since_last_build() }}

),

event_names as (

    select * from {{ ref('int_event_names') }}

),

-- a time that could not be believed is null, and the landing speaks instead
rows_judged as (

    select
        receipts.source_system,
        receipts.load_id,
        {{ reporting_date('receipts.landed_at') }} as landed_date,
        {{ reporting_date('coalesce(receipts.occurred_at, receipts.landed_at)') }} as date,
        -- a name is a word: one of megabytes is cut
        substring(coalesce(receipts.source_event_name, '(none)'), 1, 200) as source_event_name,
        receipts.outcome,
        receipts.reason,
        receipts.is_incomplete,
        receipts.outcome = 'accepted'
        and receipts.occurred_at < {{ dbt.dateadd(
            'hour', '-' ~ var('late_event_hours'), 'receipts.landed_at'
        ) }} as is_late

    from receipts

),

rows_counted as (

    select
        source_system,
        load_id,
        landed_date,
        date,
        source_event_name,
        outcome,
        reason,
        count(*) as events,
        count(case when is_incomplete then 1 end) as incomplete,
        count(case when is_late then 1 end) as late

    from rows_judged
    group by source_system, load_id, landed_date, date, source_event_name, outcome, reason

)

select
    rows_counted.source_system,
    rows_counted.load_id,
    rows_counted.landed_date,
    rows_counted.date,
    rows_counted.source_event_name,
    event_names.event_name,
    rows_counted.outcome,
    rows_counted.reason,
    rows_counted.events,
    rows_counted.incomplete,
    rows_counted.late

from rows_counted
left join event_names
    on rows_counted.source_system = event_names.source_system
    and rows_counted.source_event_name = event_names.source_event_name
