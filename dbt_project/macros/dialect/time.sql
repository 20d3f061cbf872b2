{% macro reporting_date(moment) -%}
    {#- Date of a UTC moment in the reporting time zone. -#}
    {{ return(adapter.dispatch('reporting_date', 'intent_map')(moment)) }}
{%- endmacro %}

{% macro duckdb__reporting_date(moment) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        cast({{ moment }} as date)
    {%- else -%}
        cast(timezone('{{ var("reporting_time_zone") }}', timezone('UTC', {{ moment }})) as date)
    {%- endif -%}
{%- endmacro %}

{% macro start_of_reporting_date(day) -%}
    {#- UTC moment at which a date of the reporting time zone begins. -#}
    {{ return(adapter.dispatch('start_of_reporting_date', 'intent_map')(day)) }}
{%- endmacro %}

{% macro duckdb__start_of_reporting_date(day) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        cast({{ day }} as timestamp)
    {%- else -%}
        timezone(
            'UTC', timezone('{{ var("reporting_time_zone") }}', cast({{ day }} as timestamp))
        )
    {%- endif -%}
{%- endmacro %}

{% macro seconds_between(earlier, later) -%}
    {#- Seconds from the first moment to the second, with their fraction. -#}
    {{ return(adapter.dispatch('seconds_between', 'intent_map')(earlier, later)) }}
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0)
{%- endmacro %}

{% macro moment_from_microseconds(microseconds) -%}
    {#- UTC moment of a count of microseconds since 1970; null when no calendar reaches it. -#}
    {{ return(adapter.dispatch('moment_from_microseconds', 'intent_map')(microseconds)) }}
{%- endmacro %}

{% macro duckdb__moment_from_microseconds(microseconds) -%}
    try(make_timestamp({{ microseconds }}))
{%- endmacro %}

{% macro whole_numbers_below(limit) -%}
    {#- Table expression with the column `number`: 0, 1, … limit - 1. -#}
    {{ return(adapter.dispatch('whole_numbers_below', 'intent_map')(limit)) }}
{%- endmacro %}

{% macro duckdb__whole_numbers_below(limit) -%}
    (select range as number from range({{ limit }}))
{%- endmacro %}

{% macro spark__reporting_date(moment) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        cast({{ moment }} as date)
    {%- else -%}
        cast(from_utc_timestamp({{ moment }}, '{{ var("reporting_time_zone") }}') as date)
    {%- endif -%}
{%- endmacro %}

{% macro spark__start_of_reporting_date(day) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        cast({{ day }} as timestamp)
    {%- else -%}
        to_utc_timestamp(cast({{ day }} as timestamp), '{{ var("reporting_time_zone") }}')
    {%- endif -%}
{%- endmacro %}

{% macro spark__seconds_between(earlier, later) -%}
    ((unix_micros({{ later }}) - unix_micros({{ earlier }})) / cast(1000000 as double))
{%- endmacro %}

{% macro spark__moment_from_microseconds(microseconds) -%}
    timestamp_micros({{ microseconds }})
{%- endmacro %}

{% macro spark__whole_numbers_below(limit) -%}
    (select id as number from range({{ limit }}))
{%- endmacro %}

{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    {#- dbt's own for Spark drops fractions of a second. -#}
    timestampadd({{ datepart }}, {{ interval }}, {{ from_date_or_timestamp }})
{%- endmacro %}
