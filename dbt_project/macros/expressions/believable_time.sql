{% macro believable_time(event) -%}
    {#- When the row `event` happened, UTC; null where it says a time for which it is refused. One row of
        the year 2099 among many would have all of them read whenever the newest are asked for. -#}
    case
        when {{ is_before_project_start(event) }} or {{ is_in_the_future(event) }} then null
        else {{ event }}.occurred_at
    end
{%- endmacro %}
