{% macro default_channel_group(source, medium, campaign, source_category) -%}
    {#- GA4's default channel group of manually tagged traffic: the published rules in their order,
        first match wins, upper and lower case alike. source_category is search, social, video,
        shopping or null. A visit with neither source nor medium is direct; otherwise a missing
        text matches nothing. Display stands before Paid Other, so cpm of an unlisted source is
        Display, and cpm of a search engine is Paid Search. With var ai_assistant_channel the medium
        ai-assistant is a channel of its own. -#}
    {%- set source = "lower(coalesce(" ~ source ~ ", ''))" -%}
    {%- set medium = "lower(coalesce(" ~ medium ~ ", ''))" -%}
    {%- set campaign = "lower(coalesce(" ~ campaign ~ ", ''))" -%}
    {%- set category = "coalesce(" ~ source_category ~ ", '')" -%}
    {%- set is_paid = matches_pattern(medium, "'^(.*cp.*|ppc|retargeting|paid.*)$'") -%}
    {#- shop must not follow a letter other than e: e-shop and eshop are shops, workshop is not -#}
    {%- set is_shopping = "(" ~ category ~ " = 'shopping' or "
        ~ matches_pattern(campaign, "'^(.*(([^a-df-z]|^)shop|shopping).*)$'") ~ ")" -%}
    case
        when
            {{ source }} = '(direct)'
            and {{ medium }} in ('(not set)', '(none)', '')
            then 'Direct'
        when {{ source }} = '' and {{ medium }} = '' then 'Direct'
        when {{ campaign }} like '%cross-network%' then 'Cross-network'
        when {{ is_shopping }} and {{ is_paid }} then 'Paid Shopping'
        when {{ category }} = 'search' and {{ is_paid }} then 'Paid Search'
        when {{ category }} = 'social' and {{ is_paid }} then 'Paid Social'
        when {{ category }} = 'video' and {{ is_paid }} then 'Paid Video'
        when
            {{ medium }} in ('display', 'banner', 'expandable', 'interstitial', 'cpm')
            then 'Display'
        when {{ is_paid }} then 'Paid Other'
        when {{ is_shopping }} then 'Organic Shopping'
        when
            {{ category }} = 'social'
            or {{ medium }} in (
                'social', 'social-network', 'social-media', 'sm', 'social network', 'social media'
            )
            then 'Organic Social'
        when {{ category }} = 'video' or {{ medium }} like '%video%' then 'Organic Video'
        when {{ category }} = 'search' or {{ medium }} = 'organic' then 'Organic Search'
        {% if var('ai_assistant_channel') -%}
        when {{ medium }} = 'ai-assistant' then 'AI Assistant'
        {% endif -%}
        when {{ medium }} in ('referral', 'app', 'link') then 'Referral'
        when
            {{ source }} in ('email', 'e-mail', 'e_mail', 'e mail')
            or {{ medium }} in ('email', 'e-mail', 'e_mail', 'e mail')
            then 'Email'
        when {{ medium }} = 'affiliate' then 'Affiliates'
        when {{ medium }} = 'audio' then 'Audio'
        when {{ source }} = 'sms' or {{ medium }} = 'sms' then 'SMS'
        when
            {{ medium }} like '%push'
            or {{ medium }} like '%mobile%'
            or {{ medium }} like '%notification%'
            or {{ source }} = 'firebase'
            then 'Mobile Push Notifications'
        else 'Unassigned'
    end
{%- endmacro %}
