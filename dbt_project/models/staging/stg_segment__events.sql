{{ config(enabled='segment' in var('event_sources')) }}

{#- what a row is: the table that Segment writes it to, and what stands in any name for it -#}
{%- set tables = {
    'identify': ('identifies', 'identif'),
    'screen_view': ('screens', 'screen'),
    'page_view': ('pages', 'page'),
    'group': ('groups', 'group')
} %}

with

events as (

    select * from {{ source('raw', 'segment_events') }}

),

-- only tracks name their event; of the other tables the file's name tells what a row is: first a
-- folder, file or table of just that name, since that of a site may well have page or screen in it.
-- A page tells its address and referrer in columns of its own, which are properties here
events_named as (

    select
        *,
        case
            when event is not null then event
            when event_text is not null then {{ snake_case('event_text') }}
            {% for name, (table, _) in tables.items() %}
                when {{ matches_pattern('lower(file_name)', "'(^|[/.])" ~ table ~ "([/.]|$)'") }}
                    then '{{ name }}'
            {% endfor %}
            {% for name, (_, word) in tables.items() %}
                when lower(file_name) like '%{{ word }}%' then '{{ name }}'
            {% endfor %}
            when {{ json_text('properties', "'path'") }} is not null then 'page_view'
        end as source_event_name,
        coalesce(
            context_page_url,
            case when event is null then {{ json_text('properties', "'url'") }} end
        ) as page_url,
        coalesce(
            context_page_search,
            case when event is null then {{ json_text('properties', "'search'") }} end
        ) as page_search,
        coalesce(
            context_page_referrer,
            case when event is null then {{ json_text('properties', "'referrer'") }} end
        ) as page_referrer

    from events

),

events_clicked as (

    select
        *,
        {{ url_parameter('coalesce(page_search, page_url)', 'gclid') }} as gclid,
        {{ url_parameter('coalesce(page_search, page_url)', 'gbraid') }} as gbraid,
        {{ url_parameter('coalesce(page_search, page_url)', 'wbraid') }} as wbraid

    from events_named

),

-- without a campaign the referrer speaks, unless it is a page of the same site; where there is a
-- Google click id, the referrer is the page that showed the ad, and would make a mere link of it
events_referred as (

    select
        *,
        case
            when
                page_referrer is not null
                and coalesce(
                    {{ known_text('context_campaign_source') }},
                    {{ known_text('context_campaign_medium') }},
                    {{ known_text('context_campaign_name') }}
                ) is null
                and coalesce(gclid, gbraid, wbraid) is null
                and {{ url_host('page_referrer') }} <> {{ url_host('page_url') }}
                then {{ url_host('page_referrer') }}
        end as referring_host

    from events_clicked

),

-- a row without an id: rows that are equal in all that they say are one event
events_known as (

    select
        *,
        coalesce(
            id,
            md5(concat_ws(
                chr(31),
                coalesce(anonymous_id, ''), coalesce(user_id, ''), coalesce(source_event_name, ''),
                coalesce(cast(timestamp as string), ''), coalesce(page_url, ''),
                coalesce(order_id, ''), coalesce(properties, '')
            ))
        ) as known_event_id

    from events_referred

)

select
    'segment' as source_system,
    load_id,
    row_number,
    file_name,
    landed_at,
    -- what stands behind an amount that can be read is not asked, so it spoils nothing
    case
        when revenue is not null
            then {{ unreadable_as({'timestamp': 'occurred_at', 'value': 'value_beside_revenue'}) }}
        when value is not null
            then {{ unreadable_as({'timestamp': 'occurred_at', 'revenue': 'value'}) }}
        else {{ unreadable_as({
            'timestamp': 'occurred_at', 'revenue': 'value', 'total': 'value'
        }) }}
    end as unreadable,

    ---------- ids
    known_event_id as event_id,
    id as own_event_id,
    {{ internal_key(["'segment'", 'known_event_id']) }} as event_key,
    -- a call from a server knows the login only
    coalesce({{ known_id('anonymous_id') }}, {{ known_id('user_id') }}) as visitor_id,
    user_id,
    order_id,
    cast(null as string) as source_session_id,

    ---------- times and order
    timestamp as occurred_at,
    coalesce(received_at, landed_at) as loaded_at,
    0 as sequence,

    ---------- what happened
    source_event_name,
    page_url,
    page_referrer,
    properties,
    -- a refund is the amount that was given back, whatever sign it was sent with
    case
        when source_event_name in ('order_refunded', 'refund')
            then abs(coalesce(revenue, value, total))
        else coalesce(revenue, value, total)
    end as value,
    {{ stated_currency('currency') }} as currency,

    ---------- where the visit came from
    coalesce(referring_host, context_campaign_source) as source,
    case when referring_host is not null then 'referral' else context_campaign_medium end
        as medium,
    context_campaign_name as campaign,
    context_campaign_term as term,
    context_campaign_content as content,
    gclid,
    gbraid,
    wbraid,
    {{ url_parameter('coalesce(page_search, page_url)', 'fbclid') }} as fbclid,
    cast(null as string) as source_channel_group,

    ---------- visitor's surroundings and consent
    case lower(trim(context_device_type))
        when 'ios' then 'mobile'
        when 'android' then 'mobile'
        else lower(context_device_type)
    end as device_category,
    context_location_country as country,
    context_user_agent as user_agent,
    {{ consent_given('context_consent_category_preferences_analytics') }} as consent_analytics,
    {{ consent_given('context_consent_category_preferences_advertising') }} as consent_ads

from events_known
