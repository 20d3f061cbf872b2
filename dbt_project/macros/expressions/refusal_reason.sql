{% macro refusal_reason(event, bot_rule, currency_rate) -%}
    {#- Why the staged row `event` is refused, or null: the first reason that applies. Consent comes
        before all that asks for an id, since a refused visitor has none. `bot_rule` is the rule that
        its user agent meets, `currency_rate` the rate of its currency on its day; both null where
        there is none. -#}
    case
        when {{ json_text(event ~ '.unreadable', "'row'") }} is not null
            then 'unreadable_row'
        when {{ event }}.consent_analytics in ('denied', 'no', 'false', '0')
            then 'consent_denied'
        when {{ event }}.visitor_id is null or {{ is_nobody(event) }} then 'no_visitor'
        when {{ json_text(event ~ '.unreadable', "'occurred_at'") }} is not null
            then 'unreadable_time'
        when {{ event }}.occurred_at is null then 'no_time'
        when {{ is_before_project_start(event) }} then 'before_project_start'
        when {{ is_in_the_future(event) }} then 'in_the_future'
        when
            {{ event }}.source_event_name is null
            or {{ is_blank(event ~ '.source_event_name') }}
            then 'no_event_name'
        when
            {{ json_text(event ~ '.unreadable', "'value'") }} is not null
            or not {{ is_believable_amount(event ~ '.value', 'coalesce(' ~ currency_rate ~ ', 1)') }}
            then 'unreadable_value'
        when {{ json_text(event ~ '.unreadable', "'properties'") }} is not null
            then 'unreadable_properties'
        when {{ bot_rule }} is not null then 'bot'
        when
            {{ event }}.value is not null
            and {{ event }}.currency is not null
            and {{ currency_rate }} is null
            then 'currency_without_rate'
    end
{%- endmacro %}
