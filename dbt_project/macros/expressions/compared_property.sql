{% macro compared_property(event, property) -%}
    {#- Text of the property that a rule names, of the row `event`: one of the event's own columns,
        else a member of its properties. Null when the event has none, or no property is named. -#}
    case {{ property }}
        when 'value' then cast({{ event }}.value as varchar)
        when 'currency' then {{ event }}.currency
        when 'order_id' then {{ event }}.order_id
        when 'page_url' then {{ event }}.page_url
        when 'page_referrer' then {{ event }}.page_referrer
        else {{ json_text(event ~ '.properties', property) }}
    end
{%- endmacro %}
