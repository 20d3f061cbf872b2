{% macro shares_the_credit(started_at, session_key, macro_at, macro_session_key) -%}
    {#- True when a session of the same user shares the credit of a macro-conversion: it began
        before it, or at its very moment, and within the look-back, whose first moment counts; the
        macro's own session always does. -#}
    (
        {{ started_at }} <= {{ macro_at }}
        and (
            {{ session_key }} = {{ macro_session_key }}
            or {{ started_at }} >= {{ dbt.dateadd(
                'day', '-' ~ var('attribution_look_back_days'), macro_at
            ) }}
        )
    )
{%- endmacro %}
