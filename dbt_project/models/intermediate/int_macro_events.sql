{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': {'column': 'session_key', 'key': 'session_key'}},
    post_hook="{{ remember_changes() }}"
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where
        conversion_type = 'macro'
        and {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

)

select
    event_key,
    conversion as macro_conversion,
    session_key,
    visitor_key,
    event_number,
    occurred_at,
    sequence

from conversion_events
order by session_key
