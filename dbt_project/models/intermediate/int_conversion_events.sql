{{ config(materialized='view') }}

with

session_events as (

    select * from {{ ref('int_session_events') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

)

select
    session_events.event_key,
    session_events.session_key,
    session_events.visitor_key,
    rules.conversion_type,
    rules.conversion,
    session_events.event_number,
    session_events.occurred_at,
    session_events.sequence

from session_events
inner join rules on {{ has_bit('session_events.rules_met', 'rules.rule_bit') }}
