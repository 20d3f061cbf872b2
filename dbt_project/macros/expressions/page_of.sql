{% macro page_of(url) -%}
    {#- Address of the page without its query. -#}
    split_part({{ url }}, '?', 1)
{%- endmacro %}
