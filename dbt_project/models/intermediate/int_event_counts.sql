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

-- a time that could not be believed is null, and the landing speaks instead
rows_judged as (

    select
        receipts.source_system,
        receipts.load_id,
        {{ reporting_date('receipts.landed_at') }} as landed_date,
        {{ reporting_date('coalesce(receipts.occurred_at, receipts.landed_at)') }} as date,
        -- a name is a word: one of megabytes is cut
        substring(coalesce(receipts.source_event_name, '(none)'), 1, 200) as source_event_name,
        case when receipts.is_known_name then receipts.event_name end as event_name,
        receipts.outcome,
        receipts.reason,
        receipts.is_incomplete,
        receipts.outcome = 'accepted'
        and receipts.occurred_at < {{ dbt.dateadd(
            'hour', '-' ~ var('late_event_hours'), 'receipts.landed_at'
        ) }} as is_late

    from receipts

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
