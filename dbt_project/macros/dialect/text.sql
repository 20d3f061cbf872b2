{% macro snake_case(text) -%}
    {#- A name as a table name: lower case, all that is no letter or digit as one underscore. -#}
    {{ return(adapter.dispatch('snake_case', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__snake_case(text) -%}
    nullif(trim(regexp_replace(lower({{ text }}), '[^\p{L}\p{N}]+', '_', 'g'), '_'), '')
{%- endmacro %}
