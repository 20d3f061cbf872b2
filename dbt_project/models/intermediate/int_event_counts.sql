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

-- a time that cannot be believed would put the row where nobody looks: its landing speaks instead
rows_judged as (

    select
        receipts.source_system,
        receipts.load_id,
        {{ reporting_date('receipts.landed_at') }} as landed_date,
        case
            when
                receipts.occurred_at >= timestamp '{{ var("project_start_date") }}'
                and receipts.occurred_at <= {{ dbt.dateadd(
                    'hour', var('future_tolerance_hours'), 'receipts.landed_at'
                ) }}
                then {{ reporting_date('receipts.occurred_at') }}
            else {{ reporting_date('receipts.landed_at') }}
        end as date,
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
