{% macro horizon_hours() -%}
    {#- Var horizon_days in hours, a begun one in full: as many steps as the delay curve has. -#}
    {{ (var('horizon_days') | float * 24) | round(0, 'ceil') | int }}
{%- endmacro %}
