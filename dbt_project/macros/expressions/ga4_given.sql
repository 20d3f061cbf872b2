{% macro ga4_given(text) -%}
    {#- The text, or null where GA4 writes that it has none. -#}
    nullif(nullif({{ text }}, '(not set)'), '')
{%- endmacro %}
