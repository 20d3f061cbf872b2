{% macro money_ratio(money, by_money) -%}
    {#- One sum of money as a multiple of another, as ROAS and PNO are; null unless the other is
        above 0: a platform can give back more than it cost, refunds can take more than came in. -#}
    case
        when {{ by_money }} > 0
            then cast({{ money }} as double) / cast({{ by_money }} as double)
    end
{%- endmacro %}
