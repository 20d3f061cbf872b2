-- One row comes back when events were lost, doubled or exchanged on the way into sessions.
with

event_totals as (

    select
        count(*) as events,
        coalesce(sum(cast(event_key as decimal(38, 0))), 0) as keys

    from {{ ref('int_event_receipts') }}
    where outcome = 'accepted'

),

session_event_totals as (

    select
        count(*) as events,
        coalesce(sum(cast(event_key as decimal(38, 0))), 0) as keys

    from {{ ref('int_session_events') }}

),

session_totals as (

    select coalesce(sum(events), 0) as events from {{ ref('int_all_sessions') }}

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
    or event_totals.keys <> session_event_totals.keys
    or event_totals.events <> session_totals.events
