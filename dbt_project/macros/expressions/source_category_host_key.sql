{% macro source_category_host_key(source) -%}
    {#- The second try when source_category_key is not listed: one leading www. or m. falls away. -#}
    {%- set key = source_category_key(source) -%}
    case
        when {{ key }} like 'www.%' then substring({{ key }}, 5)
        when {{ key }} like 'm.%' then substring({{ key }}, 3)
        else {{ key }}
    end
{%- endmacro %}
