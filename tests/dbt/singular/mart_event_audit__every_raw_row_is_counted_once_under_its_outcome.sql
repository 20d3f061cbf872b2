-- One row comes back for each source whose raw rows are not all counted, and for each row of the
-- audit whose parts do not sum to their whole (a reason that has no column).
with

receipts as (

    select
        source_system,
        count(*) as raw,
        count(case when outcome = 'accepted' then 1 end) as accepted,
        count(case when outcome = 'refused' then 1 end) as refused

    from {{ ref('int_event_receipts') }}
    group by source_system

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
    receipts.*,
    audit.raw as audited,
    audit.accepted as audited_accepted,
    audit.refused as audited_refused,
    audit.rows_that_do_not_add_up

from receipts
left join audit on receipts.source_system = audit.source_system
where
    receipts.raw is distinct from audit.raw
    or receipts.accepted is distinct from audit.accepted
    or receipts.refused is distinct from audit.refused
    or audit.rows_that_do_not_add_up > 0
