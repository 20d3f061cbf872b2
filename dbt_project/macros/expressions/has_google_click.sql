{% macro has_google_click(event) -%}
    {#- True when an event of int_staged_events carries one of Google's click ids. -#}
    (coalesce({{ event }}.gclid, {{ event }}.gbraid, {{ event }}.wbraid) is not null)
{%- endmacro %}
