{{ config(enabled='snowplow' in var('event_sources')) }}

with

events as (

    select
        *,
        unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1
            as given_action,
        contexts_com_snowplowanalytics_snowplow_ecommerce_transaction_1 as given_transaction,
        contexts_com_snowplowanalytics_snowplow_ecommerce_refund_1 as given_refund,
        contexts_com_snowplowanalytics_snowplow_web_page_1 as given_page,
        contexts_com_snowplowanalytics_snowplow_client_session_1 as given_session

    from {{ source('raw', 'snowplow_events') }}

),

-- a loader writes one object, or a list of one
events_unwrapped as (

    select
        *,
        coalesce({{ json_path_text('given_action', "'$[0]'") }}, given_action) as shop_action,
        coalesce({{ json_path_text('given_transaction', "'$[0]'") }}, given_transaction)
            as transaction_entity,
        coalesce({{ json_path_text('given_refund', "'$[0]'") }}, given_refund) as refund_entity,
        coalesce({{ json_path_text('given_page', "'$[0]'") }}, given_page) as page_entity,
        coalesce({{ json_path_text('given_session', "'$[0]'") }}, given_session) as session_entity

    from events

),

-- what the event's schema, its entities and the address say, each read once
events_read as (

    select
        *,
        case
            when event = 'struct' then coalesce(se_action, event_name)
            when event in ('page_view', 'page_ping', 'transaction', 'transaction_item') then event
            when event_name = 'snowplow_ecommerce_action'
                then coalesce({{ json_path_text('shop_action', "'$.type'") }}, event_name)
            else coalesce(event_name, event)
        end as source_event_name,
        {{ json_path_text('session_entity', "'$.userId'") }} as entity_user,
        {{ json_path_text('session_entity', "'$.user_id'") }} as entity_user_id,
        coalesce('?' || page_urlquery, page_url) as page_query,
        nullif({{ json_path_text('transaction_entity', "'$.revenue'") }}, '') as given_revenue,
        nullif({{ json_path_text('refund_entity', "'$.refund_amount'") }}, '')
            as given_refund_amount,
        coalesce(
            tr_currency,
            {{ json_path_text('transaction_entity', "'$.currency'") }},
            {{ json_path_text('refund_entity', "'$.currency'") }}
        ) as currency,
        coalesce(
            tr_orderid,
            {{ json_path_text('transaction_entity', "'$.transaction_id'") }},
            {{ json_path_text('refund_entity', "'$.transaction_id'") }}
        ) as order_id

    from events_unwrapped

),

events_valued as (

    select
        *,
        coalesce(
            tr_total,
            {{ plain_amount('given_revenue') }},
            -- a refund is the amount that was given back, whatever sign it was sent with
            abs({{ plain_amount('given_refund_amount') }})
        ) as value,
        coalesce(
            given_revenue,
            given_refund_amount,
            substring({{ no_json('transaction_entity') }}, 1, 200),
            substring({{ no_json('refund_entity') }}, 1, 200)
        ) as given_amount

    from events_read

),

events_clicked as (

    select
        *,
        {{ click_id(
            "case when lower(mkt_network) = 'google' then mkt_clickid end", 'gclid', 'page_query'
        ) }} as gclid,
        {{ url_parameter('page_query', 'gbraid') }} as gbraid,
        {{ url_parameter('page_query', 'wbraid') }} as wbraid

    from events_valued

),

-- without a campaign the referrer speaks, unless it is a page of the same site; where there is a
-- Google click id, the referrer is the page that showed the ad, and would make a mere link of it
events_referred as (

    select
        *,
        coalesce(
            {{ known_text('mkt_medium') }},
            {{ known_text('mkt_source') }},
            {{ known_text('mkt_campaign') }}
        ) is null
        and coalesce(gclid, gbraid, wbraid) is null
        and refr_medium in ('search', 'social', 'email', 'paid', 'unknown') as is_referred,
        case
            when derived_tstamp is null
                then {{ unreadable_as({
                    'derived_tstamp': 'occurred_at',
                    'collector_tstamp': 'occurred_at',
                    'tr_total': 'value'
                }) }}
            else {{ unreadable_as({'tr_total': 'value'}) }}
        end as named_unreadable

    from events_clicked

),

-- a row without an id: rows that are equal in all that they say are one event
events_known as (

    select
        *,
        coalesce(
            event_id,
            md5(concat_ws(
                chr(31),
                coalesce(domain_userid, ''), coalesce(network_userid, ''),
                coalesce(source_event_name, ''), coalesce(cast(collector_tstamp as string), ''),
                coalesce(cast(dvce_created_tstamp as string), ''), coalesce(page_url, ''),
                coalesce(se_label, ''), coalesce(properties, '')
            ))
        ) as known_event_id

    from events_referred

)

select
    'snowplow' as source_system,
    load_id,
    row_number,
    file_name,
    landed_at,
    case
        when value is null and given_amount is not null
            then {{ json_with_members('named_unreadable', {'value': 'given_amount'}) }}
        else named_unreadable
    end as unreadable,

    ---------- ids
    known_event_id as event_id,
    event_id as own_event_id,
    {{ internal_key(["'snowplow'", 'known_event_id']) }} as event_key,
    -- apps have an entity in place of the cookie; anonymous tracking sends zeros, which are nobody
    coalesce(
        {{ known_id('domain_userid') }},
        {{ known_id('entity_user') }},
        {{ known_id('entity_user_id') }},
        {{ known_id('network_userid') }}
    ) as visitor_id,
    user_id,
    order_id,
    coalesce(
        domain_sessionid,
        {{ json_path_text('session_entity', "'$.sessionId'") }},
        {{ json_path_text('session_entity', "'$.session_id'") }}
    ) as source_session_id,

    ---------- times and order
    coalesce(derived_tstamp, collector_tstamp) as occurred_at,
    -- of copies in one load, the one that the collector saw first is the event
    coalesce(collector_tstamp, load_tstamp, landed_at) as loaded_at,
    0 as sequence,

    ---------- what happened
    source_event_name,
    page_url,
    page_referrer,
    {{ json_with_members('properties', {
        'page_view_id':
            "coalesce(" ~ json_path_text('page_entity', "'$.id'") ~ ", "
            ~ json_text('properties', "'page_view_id'") ~ ")",
        'page_title': 'page_title',
        'platform': 'platform',
        'se_category': 'se_category',
        'se_label': 'se_label',
        'se_property': 'se_property',
        'se_value': json_number('se_value')
    }) }} as properties,
    value,
    {{ stated_currency('currency', 'tr_currency') }} as currency,

    ---------- where the visit came from
    case when is_referred then coalesce(lower(refr_source), refr_urlhost) else mkt_source end
        as source,
    case
        when not is_referred then mkt_medium
        when refr_medium = 'search' then 'organic'
        when refr_medium = 'paid' then 'cpc'
        when refr_medium = 'unknown' then 'referral'
        else refr_medium
    end as medium,
    mkt_campaign as campaign,
    mkt_term as term,
    mkt_content as content,
    gclid,
    gbraid,
    wbraid,
    {{ click_id(
        "case when lower(mkt_network) = 'facebook' then mkt_clickid end", 'fbclid', 'page_query'
    ) }} as fbclid,
    cast(null as string) as source_channel_group,

    ---------- visitor's surroundings and consent
    case
        when lower(trim(dvce_type)) = 'computer' then 'desktop'
        when lower(trim(dvce_type)) <> 'unknown' then lower(trim(dvce_type))
        when platform = 'mob' then 'mobile'
    end as device_category,
    geo_country as country,
    useragent as user_agent,
    cast(null as string) as consent_analytics,
    cast(null as string) as consent_ads

from events_known
