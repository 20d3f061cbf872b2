{{ config(enabled='ga4' in var('event_sources')) }}

with

events as (

    select * from {{ source('raw', 'ga4_events') }}

),

-- the parameters that become columns, each read once
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
        {{ ga4_text('page_location') }} as page_url,
        {{ ga4_text('page_referrer') }} as page_referrer,
        {{ ga4_text('value') }} as param_value,
        {{ ga4_text('currency') }} as param_currency,
        {{ ga4_text('transaction_id') }} as param_transaction_id

    from events

)

select
    'ga4' as source_system,
    load_id,
    row_number,
    file_name,
    landed_at,
    unreadable,

    ---------- ids
    -- batching gives distinct events one timestamp, so the key needs the batch columns too
    md5(concat_ws(
        chr(31), coalesce(stream_id, ''), coalesce(user_pseudo_id, ''), coalesce(ga_session_id, ''),
        coalesce(event_name, ''), coalesce(cast(event_timestamp as varchar), ''),
        coalesce(cast(event_bundle_sequence_id as varchar), ''),
        coalesce(cast(batch_page_id as varchar), ''),
        coalesce(cast(batch_ordering_id as varchar), ''),
        coalesce(cast(batch_event_index as varchar), ''),
        {{ ga4_sorted_params() }}
    )) as event_id,
    user_pseudo_id as visitor_id,
    user_id,
    coalesce(ecommerce.transaction_id, param_transaction_id) as order_id,
    ga_session_id as source_session_id,

    ---------- times and order
    {{ moment_from_microseconds('event_timestamp') }} as occurred_at,
    landed_at as loaded_at,
    coalesce(batch_page_id % 1000000, 0) * 1000000000000
    + coalesce(batch_ordering_id, 0) * 1000000 + coalesce(batch_event_index, 0) as sequence,

    ---------- what happened
    event_name as source_event_name,
    page_url,
    page_referrer,
    {{ ga4_properties() }} as properties,
    cast(
        case
            when event_name = 'purchase'
                then coalesce(
                    ecommerce.purchase_revenue, try_cast(param_value as double)
                )
            when event_name = 'refund'
                then coalesce(
                    ecommerce.refund_value, try_cast(param_value as double)
                )
            else try_cast(param_value as double)
        end as decimal(18, 4)
    ) as value,
    upper(param_currency) as currency,

    ---------- where the visit came from
    coalesce(
        session_traffic_source_last_click.manual_campaign.source,
        collected_traffic_source.manual_source,
        param_source
    ) as source,
    coalesce(
        session_traffic_source_last_click.manual_campaign.medium,
        collected_traffic_source.manual_medium,
        param_medium
    ) as medium,
    coalesce(
        session_traffic_source_last_click.manual_campaign.campaign_name,
        collected_traffic_source.manual_campaign_name,
        param_campaign
    ) as campaign,
    coalesce(collected_traffic_source.manual_term, param_term) as term,
    coalesce(collected_traffic_source.manual_content, param_content) as content,
    coalesce(collected_traffic_source.gclid, param_gclid) as gclid,
    cast(null as varchar) as gbraid,
    cast(null as varchar) as wbraid,
    cast(null as varchar) as fbclid,
    session_traffic_source_last_click.cross_channel_campaign.default_channel_group
        as source_channel_group,

    ---------- visitor's surroundings and consent
    lower(device.category) as device_category,
    geo.country,
    cast(null as varchar) as user_agent,
    case lower(privacy_info.analytics_storage)
        when 'yes' then 'granted'
        when 'no' then 'denied'
    end as consent_analytics,
    case lower(privacy_info.ads_storage)
        when 'yes' then 'granted'
        when 'no' then 'denied'
    end as consent_ads

from events_read
