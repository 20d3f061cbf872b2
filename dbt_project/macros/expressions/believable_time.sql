{% macro believable_time(event) -%}
    {#- When the row `event` happened, UTC; null where it says a time for which it is refused, too long
        before or after its landing. One row of the year 2099 among many would have all of them read
        whenever the newest are asked for. -#}
    case
        when
            {{ event }}.occurred_at < timestamp '{{ var("project_start_date") }}'
            or {{ event }}.occurred_at > {{ dbt.dateadd(
                'hour', var('future_tolerance_hours'), event ~ '.landed_at'
            ) }}
            then null
        else {{ event }}.occurred_at
    end
{%- endmacro %}
