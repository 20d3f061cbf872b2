{% macro posterior_mean(relation) -%}
    {#- Mean of the Beta posterior of a row with conversions, matured, prior_rate, prior_strength:
        (x + mu M) / (n + M). -#}
    ({{ relation }}.conversions + {{ relation }}.prior_rate * {{ relation }}.prior_strength)
    / ({{ relation }}.matured + {{ relation }}.prior_strength)
{%- endmacro %}
