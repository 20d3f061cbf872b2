{% macro rank_with_ties(expression, group) -%}
    {#- Rank of a row within its group, 1 for the least; equal ones share the mean of their ranks. -#}
    rank() over (partition by {{ group }} order by {{ expression }})
    + (count(*) over (partition by {{ group }}, {{ expression }}) - 1) / 2.0
{%- endmacro %}
