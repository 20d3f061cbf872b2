{% macro is_visit_start(occurred_at, previous_at) -%}
    {#- True when the event opens a visit: the visitor has no earlier event, or the gap is longer
        than the timeout. A gap equal to it stays. -#}
    (
        {{ previous_at }} is null
        or {{ occurred_at }} > {{ dbt.dateadd(
            'minute', var('session_timeout_minutes'), previous_at
        ) }}
    )
{%- endmacro %}
