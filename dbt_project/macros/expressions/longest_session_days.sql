{% macro longest_session_days() -%}
    {#- Whole days that the longest session can take (var session_maximum_hours). -#}
    {{ return((var('session_maximum_hours') | int / 24) | round(0, 'ceil') | int) }}
{%- endmacro %}
