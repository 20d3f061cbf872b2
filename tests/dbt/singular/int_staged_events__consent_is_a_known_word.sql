-- One row comes back for each word of consent to analytics, source and load, that neither gives nor
-- denies it: such events are accepted. A night looks at the loads that it brought.
{{ config(severity='warn') }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}
    where {{ not_tested('int_event_receipts', raw_rows=true) }}

)

select
    source_system,
    load_id,
    consent_analytics,
    count(*) as raw_rows

from staged_events
where consent_analytics not in ('granted', 'denied')
group by source_system, load_id, consent_analytics
