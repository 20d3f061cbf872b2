{% macro in_reporting_currency(amount, rate) -%}
    {#- Money in the reporting currency, to four digits behind the point; null without an amount or a
        rate, and where it is more than var largest_amount: one row of that kind would leave no
        room for the sums of its day. -#}
    case
        when {{ is_believable_amount(amount, rate) }}
            then cast(round({{ amount }} * {{ rate }}, 4) as decimal(18, 4))
    end
{%- endmacro %}
