{% macro is_usable_spend(row, rate) -%}
    {#- True when a row of spend, with its day as occurred_at, counts: a cost, a day, impressions and
        clicks that are believed. False without a day, null without a cost or a rate. A day that nobody
        believes would be the last of all days, or their first. -#}
    (
        {{ believable_time(row) }} is not null
        and {{ is_believable_amount(row ~ '.cost', rate) }}
        and greatest({{ row }}.impressions, {{ row }}.clicks, 0) <= {{ var('largest_amount') }}
    )
{%- endmacro %}
