{% macro run_moment() -%}
    {#- UTC moment at which this run of dbt began, to the second. -#}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
{%- endmacro %}
