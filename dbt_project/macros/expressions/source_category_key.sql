{% macro source_category_key(source) -%}
    {#- The form in which traffic_source_categories lists a source: lower case, no blanks around. -#}
    lower(trim({{ source }}))
{%- endmacro %}
