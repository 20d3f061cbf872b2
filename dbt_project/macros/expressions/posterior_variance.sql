{% macro posterior_variance() -%}
    {#- Variance of the posterior of such a row: the Beta's own, m (1 - m) / (n + M + 1), and what
        the parent's rate is itself uncertain by, as far as the row leans on it: M / (n + M). -#}
    {{ posterior_mean() }} * (1 - {{ posterior_mean() }})
    / (effective_trials + prior_strength + 1)
    + power(prior_strength / (effective_trials + prior_strength), 2) * prior_variance
{%- endmacro %}
