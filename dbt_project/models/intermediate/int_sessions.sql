{{ config(materialized='view') }}

with

all_sessions as (

    select * from {{ ref('int_all_sessions') }}

),

bot_sessions as (

    select * from {{ ref('int_bot_sessions') }}

)

-- not as an anti join, of which the planner expects that a fifth stays: a wide side of later joins
-- would then be taken for the smaller one and be kept in memory
select all_sessions.*

from all_sessions
left join bot_sessions on all_sessions.session_key = bot_sessions.session_key
where coalesce(bot_sessions.bot_rule, '(none)') = '(none)'
