{% macro is_believable_amount(amount, rate) -%}
    {#- True when money is at most var largest_amount in the reporting currency, whichever sign it
        has; null without an amount or a rate. -#}
    abs({{ amount }} * {{ rate }}) <= {{ var('largest_amount') }}
{%- endmacro %}
