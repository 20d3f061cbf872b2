{% macro value_version() -%}
    {#- Name of the version of var version_date: 2026-Q3 when that is the first day of a quarter,
        else the date itself. Null when no version is made. -#}
    {#- a date without quotes is no text in YAML -#}
    {%- set date = var('version_date') | string -%}
    {%- if not var('version_date') -%}
        cast(null as string)
    {%- elif date[5:] in ('01-01', '04-01', '07-01', '10-01') -%}
        '{{ date[:4] }}-Q{{ (date[5:7] | int + 2) // 3 }}'
    {%- else -%}
        '{{ date }}'
    {%- endif -%}
{%- endmacro %}
