{% macro sql_text(value) -%}
    {#- A text as SQL, whatever it holds; null for none. -#}
    {{ 'null' if value is none else dbt.string_literal(dbt.escape_single_quotes(value | string)) }}
{%- endmacro %}
