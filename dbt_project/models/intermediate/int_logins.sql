{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

select
    event_key,
    visitor_key,
    source_system,
    load_id,
    occurred_at,
    sequence,
    event_id,
    user_id,
    {{ public_key("'user:' || user_id") }} as user_key

from {{ ref('int_events') }}
where
    {{ known_id('user_id') }} is not null
    and {{ arrived_since_last_build() }}
