-- One row comes back for each load whose rows are not all accepted, duplicate or refused, or whose
-- accepted rows are not the ones in int_events.
with

staged_events as (

    select * from {{ ref('int_staged_events') }}

),

receipts as (

    select * from {{ ref('int_event_receipts') }}

),

events as (

    select * from {{ ref('int_events') }}

),

raw_counts as (

    select
        source_system,
        load_id,
        count(*) as raw_rows

    from staged_events
    group by source_system, load_id

),

receipt_counts as (

    select
        source_system,
        load_id,
        count(*) as receipts,
        count(case when outcome = 'accepted' then 1 end) as accepted

    from receipts
    group by source_system, load_id

),

event_counts as (

    select
        source_system,
        load_id,
        count(*) as events

    from events
    group by source_system, load_id

)

select
    coalesce(raw_counts.source_system, receipt_counts.source_system) as source_system,
    coalesce(raw_counts.load_id, receipt_counts.load_id) as load_id,
    raw_counts.raw_rows,
    receipt_counts.receipts,
    receipt_counts.accepted,
    event_counts.events

from raw_counts
full outer join receipt_counts
    on
    raw_counts.source_system = receipt_counts.source_system
    and raw_counts.load_id = receipt_counts.load_id
left join event_counts
    on
    receipt_counts.source_system = event_counts.source_system
    and receipt_counts.load_id = event_counts.load_id
where
    coalesce(raw_counts.raw_rows, 0) <> coalesce(receipt_counts.receipts, 0)
    or coalesce(receipt_counts.accepted, 0) <> coalesce(event_counts.events, 0)
