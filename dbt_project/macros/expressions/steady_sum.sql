{% macro steady_sum(expression, decimals=12) -%}
    {#- The sum of doubles as a double that does not depend on the order in which an engine adds: each
        is rounded to so many decimals first. Of 12 decimals the sum may reach 1e26, of 8 1e30. -#}
    cast(sum(cast({{ expression }} as decimal(38, {{ decimals }}))) as double)
{%- endmacro %}
