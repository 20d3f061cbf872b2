{{ config(materialized='view') }}

with

all_sessions as (

    select * from {{ ref('int_all_sessions') }}

),

bot_sessions as (

    select * from {{ ref('int_bot_sessions') }}

)

select all_sessions.*

from all_sessions
left join bot_sessions on all_sessions.session_key = bot_sessions.session_key
where bot_sessions.session_key is null
