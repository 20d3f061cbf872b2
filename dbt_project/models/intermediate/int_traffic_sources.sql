{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['source', 'medium', 'campaign'],
    meta={'notes_changes': true, 'speaks_of': ['source', 'medium', 'campaign']}
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

sessions as (

    select * from {{ ref('int_sessions') }}

),

spend as (

    select * from {{ ref('stg_ad_spend__days') }}

),

categories as (

    select * from {{ ref('traffic_source_categories') }}

),

intent_rules as (

    select * from {{ ref('intent_rules') }}

),

-- union without all: each combination once, whichever side it comes from
traffic_sources as (

    select
        source,
        medium,
        campaign

    from sessions

    union

    select
        source,
        medium,
        campaign

    from spend

),

-- the source as it stands is looked up first, then without www. or m., then its name alone
traffic_sources_categorised as (

    select
        traffic_sources.source,
        traffic_sources.medium,
        traffic_sources.campaign,
        coalesce(exact.source_category, host.source_category, name.source_category)
            as source_category

    from traffic_sources
    left join categories as exact
        on {{ source_category_key('traffic_sources.source') }} = exact.source
    left join categories as host
        on {{ source_category_host_key('traffic_sources.source') }} = host.source
    left join categories as name
        on {{ source_category_name_key('traffic_sources.source') }} = name.source

),

first_matching_rules as (

    select
        traffic_sources.source,
        traffic_sources.medium,
        traffic_sources.campaign,
        min(intent_rules.rule_order) as rule_order

    from traffic_sources
    inner join intent_rules
        on {{ meets_intent_rule('traffic_sources', 'intent_rules') }}
    group by
        traffic_sources.source,
        traffic_sources.medium,
        traffic_sources.campaign

)

select
    categorised.source,
    categorised.medium,
    categorised.campaign,
    categorised.source_category,
    {{ default_channel_group(
        'categorised.source',
        'categorised.medium',
        'categorised.campaign',
        'categorised.source_category'
    ) }} as channel_group,
    coalesce(intent_rules.intent_class, 'other') as intent_class

from traffic_sources_categorised as categorised
left join first_matching_rules
    on categorised.source = first_matching_rules.source
    and categorised.medium = first_matching_rules.medium
    and categorised.campaign = first_matching_rules.campaign
left join intent_rules
    on first_matching_rules.rule_order = intent_rules.rule_order
