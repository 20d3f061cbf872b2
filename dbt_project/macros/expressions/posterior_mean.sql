{% macro posterior_mean() -%}
    {#- Mean of the Beta posterior of a row with effective_conversions, effective_trials, prior_rate,
        prior_strength: (x + mu M) / (n + M). -#}
    (effective_conversions + prior_rate * prior_strength) / (effective_trials + prior_strength)
{%- endmacro %}
