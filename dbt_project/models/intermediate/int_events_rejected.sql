{{ config(materialized='view') }}

select
    source_system,
    load_id,
    row_number,
    file_name,
    reason

from {{ ref('int_event_receipts') }}
where outcome = 'refused'
