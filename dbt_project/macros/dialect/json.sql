{% macro json_text(document, name) -%}
    {#- Text of one top-level member of a JSON object; `name` is an SQL expression. -#}
    {{ return(adapter.dispatch('json_text', 'intent_map')(document, name)) }}
{%- endmacro %}

{% macro duckdb__json_text(document, name) -%}
    json_extract_string({{ document }}, '$."' || {{ name }} || '"')
{%- endmacro %}
