{% macro in_words(number) -%}
    {#- A number as a person reads it, with two decimals. -#}
    cast(cast({{ number }} as decimal(18, 2)) as string)
{%- endmacro %}
