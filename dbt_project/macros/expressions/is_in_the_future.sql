{% macro is_in_the_future(event) -%}
    {#- True when the row `event` says a time more than var future_tolerance_hours after its landing. -#}
    {{ event }}.occurred_at > {{ dbt.dateadd(
        'hour', var('future_tolerance_hours'), event ~ '.landed_at'
    ) }}
{%- endmacro %}
