{{ config(enabled='generic' in var('event_sources')) }}

with

-- read apart, so that where there are ids, not all columns are read to know an event
events_with_id as (

    select * from {{ source('raw', 'generic_events') }}
    where event_id is not null

),

events_without_id as (

    select * from {{ source('raw', 'generic_events') }}
    where event_id is null

),

-- a source without event ids: rows that are equal in all that they say are one event
events_known as (

    select
        *,
        event_id as known_event_id

    from events_with_id

    union all

    select
        *,
        md5(concat_ws(
            chr(31),
            coalesce(visitor_id, ''), coalesce(cast(occurred_at as string), ''),
            coalesce(event_name, ''), coalesce(user_id, ''), coalesce(page_url, ''),
            coalesce(page_referrer, ''), coalesce(properties, ''),
            coalesce(cast(value as string), ''), coalesce(currency, ''), coalesce(order_id, ''),
            coalesce(source, ''), coalesce(medium, ''), coalesce(campaign, ''),
            coalesce(session_id, ''), coalesce(cast(sequence as string), '')
        )) as known_event_id

    from events_without_id

),

events_with_tags as (

    select
        *,
        position('utm_' in page_url) > 0
        and {{ known_text('source') }} is null
        and {{ known_text('medium') }} is null
        and {{ known_text('campaign') }} is null as is_told_by_tags

    from events_known

)

select
    'generic' as source_system,
    load_id,
    row_number,
    file_name,
    landed_at,
    unreadable,

    ---------- ids
    known_event_id as event_id,
    event_id as own_event_id,
    {{ internal_key(["'generic'", 'known_event_id']) }} as event_key,
    visitor_id,
    user_id,
    order_id,
    session_id as source_session_id,

    ---------- times and order
    occurred_at,
    coalesce(loaded_at, landed_at) as loaded_at,
    coalesce(sequence, 0) as sequence,

    ---------- what happened
    event_name as source_event_name,
    page_url,
    page_referrer,
    properties,
    value,
    {{ stated_currency('currency') }} as currency,

    ---------- where the visit came from
    {{ column_or_tag('source', 'page_url', 'is_told_by_tags') }} as source,
    {{ column_or_tag('medium', 'page_url', 'is_told_by_tags') }} as medium,
    {{ column_or_tag('campaign', 'page_url', 'is_told_by_tags') }} as campaign,
    {{ column_or_tag('term', 'page_url', 'is_told_by_tags') }} as term,
    {{ column_or_tag('content', 'page_url', 'is_told_by_tags') }} as content,
    {{ click_id('gclid', 'gclid', 'page_url') }} as gclid,
    {{ click_id('gbraid', 'gbraid', 'page_url') }} as gbraid,
    {{ click_id('wbraid', 'wbraid', 'page_url') }} as wbraid,
    {{ click_id('fbclid', 'fbclid', 'page_url') }} as fbclid,
    -- the sum of all channels is called (all) in the marts, so no channel is
    nullif({{ known_text('channel_group') }}, '(all)') as source_channel_group,

    ---------- visitor's surroundings and consent
    lower(device_category) as device_category,
    country,
    user_agent,
    {{ consent_given('consent_analytics') }} as consent_analytics,
    {{ consent_given('consent_ads') }} as consent_ads

from events_with_tags
