{% macro attribution_weight(started_at, macro_at) -%}
    {#- Weight of a session in the credit of a macro-conversion, by time decay: one half-life older
        weighs half. Weights of one macro are divided by their sum. -#}
    power(
        0.5,
        {{ seconds_between(started_at, macro_at) }}
        / ({{ var('attribution_half_life_days') }} * 86400.0)
    )
{%- endmacro %}
