{% macro kept_table(name) -%}
    {#- A kept table of the valuation by its name, for the one case in which `ref` would be a circle:
        a new version reads those written before it. The run's start has made the table. -#}
    valuation.{{ name }}
{%- endmacro %}
