{% macro compared_property(event, property) -%}
    {#- Text of the property with that name, of the row `event`: one of the event's own columns, else
        a member of its properties. Null when the event has none. -#}
    {%- if property in ['value', 'currency', 'order_id', 'page_url', 'page_referrer'] -%}
        cast({{ event }}.{{ property }} as string)
    {%- else -%}
        {{ json_text(event ~ '.properties', sql_text(property)) }}
    {%- endif -%}
{%- endmacro %}
