{% macro days_before_version(days) -%}
    {#- UTC moment so many days before the version date; null when no version is made. -#}
    {{ dbt.dateadd('day', '-' ~ days, version_moment()) }}
{%- endmacro %}
