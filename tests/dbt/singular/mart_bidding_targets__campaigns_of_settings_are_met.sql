-- One row comes back for each campaign of campaign_settings.csv that no session and no spend names,
-- so that what it bids on and its target are never read; with its name in other letters, if that is
-- what links and spend write.
{{ config(severity='warn') }}

with

campaign_settings as (

    select * from {{ ref('campaign_settings') }}

),

campaigns as (

    select distinct campaign from {{ ref('mart_bidding_targets') }}

),

written_otherwise as (

    select
        lower(campaign) as lower_campaign,
        min(campaign) as campaign

    from campaigns
    group by lower(campaign)

)

select
    campaign_settings.campaign,
    written_otherwise.campaign as known_as

from campaign_settings
left join campaigns on campaign_settings.campaign = campaigns.campaign
left join written_otherwise
    on lower(campaign_settings.campaign) = written_otherwise.lower_campaign
where campaigns.campaign is null
order by campaign_settings.campaign
