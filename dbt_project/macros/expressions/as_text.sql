{% macro as_text(value) -%}
    {#- A text that a person wrote, as a literal; null for none. -#}
    {%- if value is none -%}
        cast(null as string)
    {%- else -%}
        {{ sql_text(value) }}
    {%- endif -%}
{%- endmacro %}
