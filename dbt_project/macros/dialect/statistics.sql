{% macro quantile(expression, share) -%}
    {#- Aggregate: the quantile of an expression, interpolated between neighbours. -#}
    {{ return(adapter.dispatch('quantile', 'intent_map')(expression, share)) }}
{%- endmacro %}

{% macro duckdb__quantile(expression, share) -%}
    quantile_cont({{ expression }}, {{ share }})
{%- endmacro %}
