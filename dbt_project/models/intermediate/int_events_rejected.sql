{{ config(materialized='view') }}

with

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'refused'

),

staged_events as (

    select * from {{ ref('int_staged_events') }}

)

select
    receipts.source_system,
    receipts.load_id,
    receipts.row_number,
    staged_events.file_name,
    receipts.source_event_name,
    receipts.reason

from receipts
inner join staged_events
    on receipts.load_id = staged_events.load_id
    and receipts.row_number = staged_events.row_number
    and receipts.source_system = staged_events.source_system
