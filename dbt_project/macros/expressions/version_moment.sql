{% macro version_moment() -%}
    {#- UTC moment of var version_date in the reporting time zone; null when no version is made, so
        that every look-back is empty. -#}
    {%- if var('version_date') -%}
        {{ start_of_reporting_date("date '" ~ var('version_date') ~ "'") }}
    {%- else -%}
        cast(null as timestamp)
    {%- endif -%}
{%- endmacro %}
