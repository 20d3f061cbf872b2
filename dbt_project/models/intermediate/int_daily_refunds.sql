{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=[
        'refund_date', 'channel_group', 'source', 'medium', 'campaign', 'intent_class', 'visitor_type'
    ],
    meta={'notes_changes': true, 'date_of': 'refund_date'}
) }}

with

refunds as (

    select * from {{ ref('int_refunds') }}
    where value > 0

),

refund_credits as (

    select * from {{ ref('int_refund_credits') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

-- a refund stands on its own date, under the session of its order, and is taken from the credit of
-- the sessions that shared it
money_given_back as (

    select
        session_key,
        refund_date,
        value as refunds,
        0 as credit

    from refunds

    union all

    select
        session_key,
        refund_date,
        0 as refunds,
        credit

    from refund_credits

)

select
    money_given_back.refund_date,
    coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group,
    sessions.source,
    sessions.medium,
    sessions.campaign,
    traffic_sources.intent_class,
    sessions.visitor_type,
    cast(sum(money_given_back.refunds) as decimal(18, 4)) as refunds,
    cast(sum(money_given_back.credit) as decimal(18, 4)) as credit

from money_given_back
inner join sessions on money_given_back.session_key = sessions.session_key
inner join traffic_sources
    on sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
group by
    money_given_back.refund_date,
    coalesce(sessions.source_channel_group, traffic_sources.channel_group),
    sessions.source,
    sessions.medium,
    sessions.campaign,
    traffic_sources.intent_class,
    sessions.visitor_type
