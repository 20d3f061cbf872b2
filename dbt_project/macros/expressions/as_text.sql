{% macro as_text(value) -%}
    {#- A text that a person wrote, as a literal; null for none. -#}
    {%- if value is none -%}
        cast(null as string)
    {%- else -%}
        '{{ value | string | replace("'", "''") }}'
    {%- endif -%}
{%- endmacro %}
