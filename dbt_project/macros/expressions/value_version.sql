{% macro value_version() -%}
    {#- Name of the version of var version_date: 2026-Q3 when that is the first day of a quarter,
        else the date itself. Null when no version is made. -#}
    {%- if var('version_date') -%}
        {%- set date = modules.datetime.date.fromisoformat(var('version_date')) -%}
        {%- if date.day == 1 and date.month in (1, 4, 7, 10) -%}
            '{{ date.year }}-Q{{ (date.month + 2) // 3 }}'
        {%- else -%}
            '{{ date.isoformat() }}'
        {%- endif -%}
    {%- else -%}
        cast(null as varchar)
    {%- endif -%}
{%- endmacro %}
