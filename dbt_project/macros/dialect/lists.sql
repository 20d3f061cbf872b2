{% macro joined_texts(text) -%}
    {#- Aggregate: the texts one after the other with a bar between, in their own order. -#}
    {{ return(adapter.dispatch('joined_texts', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__joined_texts(text) -%}
    string_agg({{ text }}, '|' order by {{ text }})
{%- endmacro %}

{% macro spark__joined_texts(text) -%}
    nullif(array_join(array_sort(collect_list({{ text }})), '|'), '')
{%- endmacro %}
