{{ config(meta={'tests_what_is_written': ['int_event_receipts', 'int_all_sessions']}) }}
-- One row comes back when events were lost, doubled or exchanged on the way into sessions.
-- Events are counted over all time. Which ones they are is compared from the first moment on that
-- the loads which a night brought, or the sessions that it wrote, reach back to: a day sooner, as
-- sessions are noted with their date in the reporting time zone.
{%- set written = untested_changes('int_all_sessions') -%}
{%- set first_moment_written = '0001-01-01' -%}
{%- if written is not none -%}
    {%- set first_moment_written = run_query(
        "select least(min(occurred_at), cast('" ~ date_before(written, 1) ~ "' as timestamp)) from "
        ~ ref('int_event_receipts')
        ~ " where outcome = 'accepted' and " ~ not_tested('int_event_receipts')
    ).rows[0][0] -%}
{%- endif %}
with

receipts as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'accepted'

),

-- read once more: what is asked of a part would otherwise be asked of all, kept for both
receipts_written as (

    select * from {{ ref('int_event_receipts') }}
    where outcome = 'accepted' and occurred_at >= timestamp '{{ first_moment_written }}'

),

session_events as (

    select * from {{ ref('int_session_events') }}

),

session_events_written as (

    select * from {{ ref('int_session_events') }}
    where occurred_at >= timestamp '{{ first_moment_written }}'

),

all_sessions as (

    select * from {{ ref('int_all_sessions') }}

),

event_totals as (

    select count(*) as events from receipts

),

session_event_totals as (

    select count(*) as events from session_events

),

session_totals as (

    select coalesce(sum(events), 0) as events from all_sessions

),

key_totals as (

    select
        count(*) as events,
        coalesce(sum(cast(event_key as decimal(38, 0))), 0) as keys

    from receipts_written

),

session_key_totals as (

    select
        count(*) as events,
        coalesce(sum(cast(event_key as decimal(38, 0))), 0) as keys

    from session_events_written

)

select
    event_totals.events as accepted_events,
    session_event_totals.events as events_in_sessions,
    session_totals.events as events_of_sessions,
    key_totals.events as accepted_events_written,
    session_key_totals.events as events_in_sessions_written

from event_totals
cross join session_event_totals
cross join session_totals
cross join key_totals
cross join session_key_totals
where
    event_totals.events <> session_event_totals.events
    or event_totals.events <> session_totals.events
    or key_totals.events <> session_key_totals.events
    or key_totals.keys <> session_key_totals.keys
