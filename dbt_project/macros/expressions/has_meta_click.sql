{% macro has_meta_click(event) -%}
    {#- True when an event of int_staged_events carries Meta's click id. -#}
    ({{ event }}.fbclid is not null)
{%- endmacro %}
