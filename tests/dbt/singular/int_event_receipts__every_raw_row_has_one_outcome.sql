{{ config(meta={'tests_what_is_written': ['int_event_receipts']}) }}
-- One row comes back for each load that has not as many receipts as raw rows, or in which one row
-- has several. The receipts of rows that are old, and so taken out of raw, may stay.
-- A night looks at the loads that it brought.
-- The raw tables themselves are read, so that a row that staging lost is missed as well.
with

raw_rows as (

    {% for source_system in var('event_sources') %}
        select
            '{{ source_system }}' as source_system,
            load_id,
            row_number

        from {{ source('raw', source_system ~ '_events') }}
        {% if not loop.last %} union all {% endif %}
    {% endfor %}

),

raw_rows_new as (

    select * from raw_rows
    where {{ not_tested('int_event_receipts', raw_rows=true) }}

),

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where {{ not_tested('int_event_receipts') }}

),

raw_counts as (

    select
        source_system,
        load_id,
        count(*) as raw_rows,
        sum(row_number) as row_numbers

    from raw_rows_new
    group by source_system, load_id

),

receipt_counts as (

    select
        source_system,
        load_id,
        count(*) as receipts,
        sum(row_number) as row_numbers

    from receipts
    group by source_system, load_id

),

removals as (

    select
        source as source_system,
        load_id,
        sum(row_count) as row_count

    from {{ source('raw', 'removals') }}
    where reason in ('retired', 'refused')
    group by source, load_id

)

select
    coalesce(raw_counts.source_system, receipt_counts.source_system) as source_system,
    coalesce(raw_counts.load_id, receipt_counts.load_id) as load_id,
    raw_counts.raw_rows,
    receipt_counts.receipts

from raw_counts
full outer join receipt_counts
    on
    raw_counts.source_system = receipt_counts.source_system
    and raw_counts.load_id = receipt_counts.load_id
left join removals
    on
    coalesce(raw_counts.source_system, receipt_counts.source_system) = removals.source_system
    and coalesce(raw_counts.load_id, receipt_counts.load_id) = removals.load_id
where
    (
        removals.load_id is null
        and (
            raw_counts.raw_rows is distinct from receipt_counts.receipts
            or raw_counts.row_numbers is distinct from receipt_counts.row_numbers
        )
    )
    or coalesce(receipt_counts.receipts, 0) < coalesce(raw_counts.raw_rows, 0)
    or coalesce(receipt_counts.receipts, 0)
    > coalesce(raw_counts.raw_rows, 0) + coalesce(removals.row_count, 0)
