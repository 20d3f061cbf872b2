{{ config(meta={'tests_what_is_written': ['int_event_receipts', 'int_event_counts']}) }}
-- One row comes back for each load whose raw rows are not all counted, when all loads together do
-- not have as many rows as were counted, and for each source whose audit holds other counts, or
-- parts that do not sum to their whole (a reason that has no column).
-- A night looks at the loads that it brought, and at all counts. Loads that the counts are not yet
-- tested for are none that the receipts are tested for, unless the counts were built anew.
{%- set behind = 'int_event_receipts' if tested_up_to('int_event_counts') else 'int_event_counts' %}
with

receipts as (

    select * from {{ ref('int_event_receipts') }}

),

-- read once more: what is asked of a part would otherwise be asked of all, kept for both
receipts_written as (

    select * from {{ ref('int_event_receipts') }}
    where {{ not_tested(behind) }}

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

receipts_of_loads as (

    select
        source_system,
        load_id,
        count(*) as raw,
        count(case when outcome = 'accepted' then 1 end) as accepted,
        count(case when outcome = 'refused' then 1 end) as refused

    from receipts_written
    group by source_system, load_id

),

counts_of_loads as (

    select
        source_system,
        load_id,
        sum(events) as raw,
        sum(case when outcome = 'accepted' then events else 0 end) as accepted,
        sum(case when outcome = 'refused' then events else 0 end) as refused

    from event_counts
    where {{ not_tested(behind) }}
    group by source_system, load_id

),

all_receipts as (

    select count(*) as raw from receipts

),

counts as (

    select
        source_system,
        sum(events) as raw,
        sum(case when outcome = 'accepted' then events else 0 end) as accepted,
        sum(case when outcome = 'refused' then events else 0 end) as refused

    from event_counts
    group by source_system

),

all_counts as (

    select coalesce(sum(raw), 0) as raw from counts

),

audit as (

    select
        source_system,
        sum(raw) as raw,
        sum(accepted) as accepted,
        sum(refused) as refused,
        sum(
            case
                when
                    raw <> accepted + duplicate + refused
                    or refused <> (
                        refused_unreadable_row
                        + refused_consent_denied
                        + refused_no_visitor
                        + refused_unreadable_time
                        + refused_no_time
                        + refused_before_project_start
                        + refused_in_the_future
                        + refused_no_event_name
                        + refused_unreadable_value
                        + refused_unreadable_properties
                        + refused_bot
                        + refused_currency_without_rate
                    )
                    then 1
                else 0
            end
        ) as rows_that_do_not_add_up

    from {{ ref('mart_event_audit') }}
    group by source_system

)

select
    'load ' || cast(coalesce(receipts_of_loads.load_id, counts_of_loads.load_id) as string)
    || ' of ' || coalesce(receipts_of_loads.source_system, counts_of_loads.source_system) as which,
    receipts_of_loads.raw as raw_rows,
    counts_of_loads.raw as counted

from receipts_of_loads
full outer join counts_of_loads
    on receipts_of_loads.source_system = counts_of_loads.source_system
    and receipts_of_loads.load_id = counts_of_loads.load_id
where
    receipts_of_loads.raw is distinct from counts_of_loads.raw
    or receipts_of_loads.accepted is distinct from counts_of_loads.accepted
    or receipts_of_loads.refused is distinct from counts_of_loads.refused

union all

select
    'all loads' as which,
    all_receipts.raw as raw_rows,
    all_counts.raw as counted

from all_receipts
cross join all_counts
where all_receipts.raw <> all_counts.raw

union all

select
    'audit of ' || counts.source_system as which,
    counts.raw as raw_rows,
    audit.raw as counted

from counts
left join audit on counts.source_system = audit.source_system
where
    counts.raw is distinct from audit.raw
    or counts.accepted is distinct from audit.accepted
    or counts.refused is distinct from audit.refused
    or audit.rows_that_do_not_add_up > 0
