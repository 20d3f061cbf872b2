{% macro is_usable_order_time(row) -%}
    {#- True when a row of the orders table, with its time as occurred_at, says none at all or one that
        was read and is believed: from var project_start_date on, and not later than var
        future_tolerance_hours after its landing. -#}
    (
        {{ json_text(row ~ '.unreadable', "'ordered_at'") }} is null
        and not coalesce({{ is_before_project_start(row) }} or {{ is_in_the_future(row) }}, false)
    )
{%- endmacro %}
