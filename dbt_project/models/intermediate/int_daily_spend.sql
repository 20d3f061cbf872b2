{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['spend_date', 'source', 'medium', 'campaign'],
    meta={'notes_changes': true, 'date_of': 'spend_date'}
) }}

with

staged_spend as (

    select * from {{ ref('stg_ad_spend__days') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

spend_dated as (

    select
        staged_spend.*,
        cast(staged_spend.spend_date as timestamp) as occurred_at,
        currency_rates.rate

    from staged_spend
    inner join currency_rates
        on staged_spend.currency = currency_rates.currency
        and staged_spend.spend_date >= currency_rates.valid_from
        and staged_spend.spend_date < currency_rates.valid_to

),

-- what cannot be used takes the place of nothing that can
spend as (

    select
        *,
        {{ in_reporting_currency('cost', 'rate') }} as reported_cost

    from spend_dated
    where {{ is_usable_spend('spend_dated', 'spend_dated.rate') }}

),

campaigns_without_source as (

    select distinct campaign from spend
    where source = '(not set)' and medium = '(not set)' and campaign <> '(not set)'

),

sources_of_campaigns as (

    select
        sessions.campaign,
        sessions.source,
        sessions.medium,
        row_number() over (
            partition by sessions.campaign
            order by count(*) desc, sessions.source asc, sessions.medium asc
        ) as place

    from sessions
    inner join campaigns_without_source on sessions.campaign = campaigns_without_source.campaign
    group by sessions.campaign, sessions.source, sessions.medium

),

-- a row that names the campaign alone is of the source and medium by which its sessions came
spend_sourced as (

    select
        spend.load_id,
        spend.spend_date,
        coalesce(sources_of_campaigns.source, spend.source) as source,
        coalesce(sources_of_campaigns.medium, spend.medium) as medium,
        spend.campaign,
        spend.impressions,
        spend.clicks,
        spend.cost,
        spend.currency,
        spend.reported_cost

    from spend
    left join sources_of_campaigns
        on spend.campaign = sources_of_campaigns.campaign
        and sources_of_campaigns.place = 1
        and spend.source = '(not set)'
        and spend.medium = '(not set)'

),

-- a restated day of a campaign replaces the old one: the load that came last counts
spend_ranked as (

    select
        *,
        dense_rank() over (
            partition by spend_date, source, medium, campaign order by load_id desc
        ) as load_age

    from spend_sourced

),

-- distinct: a row that stands twice in one file is one row of spend
spend_once as (

    select distinct
        spend_date,
        source,
        medium,
        campaign,
        impressions,
        clicks,
        cost,
        currency,
        reported_cost

    from spend_ranked
    where load_age = 1

),

spend_by_day as (

    select
        spend_date,
        source,
        medium,
        campaign,
        sum(case when impressions < 0 then 0 else impressions end) as impressions,
        sum(case when clicks < 0 then 0 else clicks end) as clicks,
        cast(sum(reported_cost) as decimal(18, 4)) as cost

    from spend_once
    group by spend_date, source, medium, campaign

),

-- distinct: one session with a group of its source's own is enough
sources_with_own_groups as (

    select distinct
        source,
        medium,
        campaign

    from sessions
    where source_channel_group is not null

),

sessions_grouped as (

    select
        sessions.session_date,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group,
        count(*) as sessions

    from sessions
    inner join sources_with_own_groups as sources
        on sessions.source = sources.source
        and sessions.medium = sources.medium
        and sessions.campaign = sources.campaign
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign
    group by
        sessions.session_date,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        coalesce(sessions.source_channel_group, traffic_sources.channel_group)

),

groups_of_days as (

    select
        session_date,
        source,
        medium,
        campaign,
        channel_group,
        row_number() over (
            partition by session_date, source, medium, campaign
            order by sessions desc, channel_group asc
        ) as place

    from sessions_grouped

),

-- of days with spend and without a session
groups_of_sources as (

    select
        source,
        medium,
        campaign,
        channel_group,
        row_number() over (
            partition by source, medium, campaign
            order by sum(sessions) desc, channel_group asc
        ) as place

    from sessions_grouped
    group by source, medium, campaign, channel_group

)

-- what the campaign means stands here too, so that a changed rule notes the days of spend alone.
-- Cost stands where most of its sessions do, which the source may have put into groups of its own
select
    spend_by_day.spend_date,
    coalesce(
        groups_of_days.channel_group,
        groups_of_sources.channel_group,
        traffic_sources.channel_group
    ) as channel_group,
    spend_by_day.source,
    spend_by_day.medium,
    spend_by_day.campaign,
    traffic_sources.intent_class,
    spend_by_day.impressions,
    spend_by_day.clicks,
    spend_by_day.cost

from spend_by_day
inner join traffic_sources
    on spend_by_day.source = traffic_sources.source
    and spend_by_day.medium = traffic_sources.medium
    and spend_by_day.campaign = traffic_sources.campaign
left join groups_of_days
    on spend_by_day.spend_date = groups_of_days.session_date
    and spend_by_day.source = groups_of_days.source
    and spend_by_day.medium = groups_of_days.medium
    and spend_by_day.campaign = groups_of_days.campaign
    and groups_of_days.place = 1
left join groups_of_sources
    on spend_by_day.source = groups_of_sources.source
    and spend_by_day.medium = groups_of_sources.medium
    and spend_by_day.campaign = groups_of_sources.campaign
    and groups_of_sources.place = 1
