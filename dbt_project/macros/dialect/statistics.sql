{% macro quantile(expression, share) -%}
    {#- Aggregate: the quantile of an expression, interpolated between neighbours. -#}
    {{ return(adapter.dispatch('quantile', 'intent_map')(expression, share)) }}
{%- endmacro %}

{% macro duckdb__quantile(expression, share) -%}
    quantile_cont({{ expression }}, {{ share }})
{%- endmacro %}

{% macro spark__quantile(expression, share) -%}
    percentile({{ expression }}, {{ share }})
{%- endmacro %}

{% macro rounded(number, digits) -%}
    {#- A floating-point number to so many digits behind the point. Half a unit goes away from zero, as
        the number times a power of ten shows it: 0.32685 is a little less than half there. -#}
    {{ return(adapter.dispatch('rounded', 'intent_map')(number, digits)) }}
{%- endmacro %}

{% macro duckdb__rounded(number, digits) -%}
    round({{ number }}, {{ digits }})
{%- endmacro %}

{% macro spark__rounded(number, digits) -%}
    {#- Java rounds the number as it is written. -#}
    (round(({{ number }}) * {{ 10 ** digits }}D) / {{ 10 ** digits }}D)
{%- endmacro %}
