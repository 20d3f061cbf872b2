-- One row comes back when events were lost or doubled on the way into sessions.
with

event_totals as (

    select count(*) as events from {{ ref('int_events') }}

),

session_event_totals as (

    select count(*) as events from {{ ref('int_session_events') }}

),

session_totals as (

    select coalesce(sum(events), 0) as events from {{ ref('int_sessions') }}

)

select
    event_totals.events as accepted_events,
    session_event_totals.events as events_in_sessions,
    session_totals.events as events_of_sessions

from event_totals
cross join session_event_totals
cross join session_totals
where
    event_totals.events <> session_event_totals.events
    or event_totals.events <> session_totals.events
