{% macro ga4_given(text) -%}
    {#- The text, or null where GA4 writes that it has none, or will not tell. -#}
    case when {{ text }} not in ('', '(not set)', '(data deleted)', '<Other>') then {{ text }} end
{%- endmacro %}
