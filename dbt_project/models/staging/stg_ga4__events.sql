{{ config(enabled='ga4' in var('event_sources')) }}

with

events as (

    select * from {{ source('raw', 'ga4_events') }}

),

-- the parameters and records that become columns, each read once
events_read as (

    select
        *,
        {{ ga4_text('ga_session_id') }} as ga_session_id,
        {{ ga4_text('source') }} as param_source,
        {{ ga4_text('medium') }} as param_medium,
        {{ ga4_text('campaign') }} as param_campaign,
        {{ ga4_text('term') }} as param_term,
        {{ ga4_text('content') }} as param_content,
        {{ ga4_text('gclid') }} as param_gclid,
        {{ ga4_text('page_location') }} as param_page_location,
        {{ ga4_text('page_referrer') }} as page_referrer,
        {{ ga4_text('value') }} as param_value,
        {{ ga4_text('currency') }} as param_currency,
        {{ ga4_text('transaction_id') }} as param_transaction_id,
        session_traffic_source_last_click.manual_campaign as session_manual,
        session_traffic_source_last_click.cross_channel_campaign as session_cross_channel,
        {{ ga4_given('session_traffic_source_last_click.google_ads_campaign.campaign_name') }}
            as session_ads_campaign

    from events

),

events_told_apart as (

    select
        *,
        -- which record says where the visit came from; source, medium and campaign are then all
        -- taken from it, since two records may speak of two visits
        case
            when
                coalesce(
                    {{ ga4_given('session_manual.source') }},
                    {{ ga4_given('session_manual.medium') }},
                    {{ ga4_given('session_manual.campaign_name') }}
                ) is not null then 'session_manual'
            when
                coalesce(
                    {{ ga4_given('session_cross_channel.source') }},
                    {{ ga4_given('session_cross_channel.medium') }},
                    {{ ga4_given('session_cross_channel.campaign_name') }}
                ) is not null then 'session_cross_channel'
            when session_ads_campaign is not null then 'session_ads'
            when
                coalesce(
                    {{ ga4_given('collected_traffic_source.manual_source') }},
                    {{ ga4_given('collected_traffic_source.manual_medium') }},
                    {{ ga4_given('collected_traffic_source.manual_campaign_name') }}
                ) is not null then 'collected'
            else 'params'
        end as source_record,
        case event_name
            when 'purchase'
                then coalesce(
                    cast(ecommerce.purchase_revenue as string),
                    {{ ga4_given('param_value') }},
                    {{ json_text('unreadable', "'event_params.value'") }}
                )
            when 'refund'
                then coalesce(
                    cast(ecommerce.refund_value as string),
                    {{ ga4_given('param_value') }},
                    {{ json_text('unreadable', "'event_params.value'") }}
                )
            else param_value
        end as given_value

    from events_read

),

events_valued as (

    select
        *,
        {{ moment_from_microseconds('event_timestamp') }} as occurred_at,
        {{ ga4_given('param_page_location') }} as page_url,
        {{ plain_amount('given_value') }} as value,
        -- an amount that the event does not stand for is not asked, so it spoils nothing
        case event_name
            when 'purchase' then {{ unreadable_as({
                'event_timestamp': 'occurred_at',
                'event_params': 'properties',
                'ecommerce': 'value',
                'ecommerce.purchase_revenue': 'value'
            }) }}
            when 'refund' then {{ unreadable_as({
                'event_timestamp': 'occurred_at',
                'event_params': 'properties',
                'ecommerce': 'value',
                'ecommerce.refund_value': 'value'
            }) }}
            else {{ unreadable_as({
                'event_timestamp': 'occurred_at', 'event_params': 'properties'
            }) }}
        end as named_unreadable

    from events_told_apart

),

events_known as (

    select
        *,
        {{ ga4_event_id() }} as known_event_id

    from events_valued

)

select
    'ga4' as source_system,
    load_id,
    row_number,
    file_name,
    landed_at,
    case
        when event_timestamp is not null and occurred_at is null
            then {{ json_with_members('named_unreadable', {'occurred_at': 'event_timestamp'}) }}
        when event_name in ('purchase', 'refund') and given_value is not null and value is null
            then {{ json_with_members('named_unreadable', {'value': 'given_value'}) }}
        else named_unreadable
    end as unreadable,

    ---------- ids
    known_event_id as event_id,
    cast(null as string) as own_event_id,
    {{ ga4_event_key() }} as event_key,
    user_pseudo_id as visitor_id,
    user_id,
    -- the record may say (not set) of an order whose number the parameter has
    coalesce({{ real_order_id('ecommerce.transaction_id') }}, param_transaction_id) as order_id,
    ga_session_id as source_session_id,

    ---------- times and order
    occurred_at,
    landed_at as loaded_at,
    coalesce(batch_page_id % 1000000, 0) * 1000000000000
    + coalesce(batch_ordering_id % 1000000, 0) * 1000000
    + coalesce(batch_event_index % 1000000, 0) as sequence,

    ---------- what happened
    event_name as source_event_name,
    page_url,
    page_referrer,
    {{ ga4_properties() }} as properties,
    -- a refund is the amount that was given back, whatever sign it was sent with
    case when event_name = 'refund' then abs(value) else value end as value,
    {{ stated_currency('param_currency', 'event_params.currency') }} as currency,

    ---------- where the visit came from
    case source_record
        when 'session_manual' then session_manual.source
        when 'session_cross_channel' then session_cross_channel.source
        when 'session_ads' then 'google'
        when 'collected' then collected_traffic_source.manual_source
        else param_source
    end as source,
    case source_record
        when 'session_manual' then session_manual.medium
        when 'session_cross_channel' then session_cross_channel.medium
        when 'session_ads' then 'cpc'
        when 'collected' then collected_traffic_source.manual_medium
        else param_medium
    end as medium,
    case source_record
        when 'session_manual'
            then coalesce(
                {{ ga4_given('session_manual.campaign_name') }},
                session_ads_campaign,
                session_cross_channel.campaign_name
            )
        when 'session_cross_channel'
            then coalesce(
                {{ ga4_given('session_cross_channel.campaign_name') }}, session_ads_campaign
            )
        when 'session_ads' then session_ads_campaign
        when 'collected' then collected_traffic_source.manual_campaign_name
        else param_campaign
    end as campaign,
    coalesce(
        {{ ga4_given('session_manual.term') }},
        {{ ga4_given('collected_traffic_source.manual_term') }},
        {{ ga4_given('param_term') }}
    ) as term,
    coalesce(
        {{ ga4_given('session_manual.content') }},
        {{ ga4_given('collected_traffic_source.manual_content') }},
        {{ ga4_given('param_content') }}
    ) as content,
    {{ click_id(
        ga4_given('collected_traffic_source.gclid') ~ ', ' ~ ga4_given('param_gclid'),
        'gclid',
        'page_url'
    ) }} as gclid,
    {{ url_parameter('page_url', 'gbraid') }} as gbraid,
    {{ url_parameter('page_url', 'wbraid') }} as wbraid,
    {{ url_parameter('page_url', 'fbclid') }} as fbclid,
    -- the sum of all channels is called (all) in the marts, so no channel is
    nullif({{ ga4_given('session_cross_channel.default_channel_group') }}, '(all)')
        as source_channel_group,

    ---------- visitor's surroundings and consent
    lower({{ ga4_given('device.category') }}) as device_category,
    {{ ga4_given('geo.country') }} as country,
    cast(null as string) as user_agent,
    {{ consent_given('privacy_info.analytics_storage') }} as consent_analytics,
    {{ consent_given('privacy_info.ads_storage') }} as consent_ads

from events_known
