{% macro t_quantile(z, degrees_of_freedom) -%}
    {#- Quantile of Student's t by the first terms of its expansion round the normal quantile z of
        the same level. With z up to 1.96 it is within 0.3 % from 4 degrees of freedom on; further
        out it falls short: by 1.2 % at 2.58 and 5 % at 3.29 with 4, by 0.4 % at 3.29 with 8. -#}
    (
        {{ z }}
        + (power({{ z }}, 3) + {{ z }}) / 4.0 / ({{ degrees_of_freedom }})
        + (5 * power({{ z }}, 5) + 16 * power({{ z }}, 3) + 3 * {{ z }})
        / 96.0 / power({{ degrees_of_freedom }}, 2)
        + (3 * power({{ z }}, 7) + 19 * power({{ z }}, 5) + 17 * power({{ z }}, 3) - 15 * {{ z }})
        / 384.0 / power({{ degrees_of_freedom }}, 3)
    )
{%- endmacro %}
