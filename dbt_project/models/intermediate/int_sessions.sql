{{ config(materialized='view') }}

with

all_sessions as (

    select * from {{ ref('int_all_sessions') }}

),

bot_sessions as (

    select * from {{ ref('int_bot_sessions') }}

)

-- not as an anti join, of which the planner takes it that a fifth stays: joins of these sessions to
-- others would then keep the wide side in memory
select all_sessions.*

from all_sessions
left join bot_sessions on all_sessions.session_key = bot_sessions.session_key
where coalesce(bot_sessions.bot_rule, '(none)') = '(none)'
