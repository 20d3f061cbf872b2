{{ config(
    materialized='incremental',
    incremental_strategy='append'
) }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}

)

-- distinct: each agent is matched once, however many events carry it
select distinct staged_events.user_agent

from staged_events
where
    staged_events.user_agent is not null
    and {{ arrived_since_last_build('int_event_receipts') }}
    {% if is_incremental() %}
        and staged_events.user_agent not in (
            select kept.user_agent from {{ this }} as kept
        )
    {% endif %}
