{% macro version_date() -%}
    {#- Var version_date as a date: the first day on which the version is in force; null when no
        version is made. -#}
    cast({{ "'" ~ var('version_date') ~ "'" if var('version_date') else 'null' }} as date)
{%- endmacro %}
