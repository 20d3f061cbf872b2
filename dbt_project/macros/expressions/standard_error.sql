{% macro standard_error(number, total, squares) -%}
    {#- Standard error of a mean from the number, the sum and the sum of squares; null below two. -#}
    case
        when {{ number }} > 1
            then sqrt(
                greatest(
                    {{ squares }} - power(cast({{ total }} as double), 2) / {{ number }}, 0
                ) / ({{ number }} - 1) / {{ number }}
            )
    end
{%- endmacro %}
