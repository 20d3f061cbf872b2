{{ config(
    materialized='incremental',
    incremental_strategy='append'
) }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}

),

bot_rules as (

    select * from {{ ref('bot_rules') }}

),

agents as (

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

),

agents_matched as (

    select
        agents.user_agent,
        min(bot_rules.rule) as bot_rule

    from agents
    left join bot_rules
        on bot_rules.kind = 'user_agent'
        and {{ matches_pattern('lower(agents.user_agent)', 'bot_rules.pattern') }}
    group by agents.user_agent

)

select
    user_agent,
    bot_rule

from agents_matched
