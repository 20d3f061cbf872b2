{% macro computed_once() -%}
    {#- Always true; at the end of a CTE that is read several times, so that it is computed once. -#}
    {{ return(adapter.dispatch('computed_once', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__computed_once() -%}
    true
{%- endmacro %}

{% macro spark__computed_once() -%}
    {#- A CTE is written out at each place that reads it, and those in it again, until a plan does not
        fit in memory; one that draws a number is not. -#}
    rand() >= 0
{%- endmacro %}
