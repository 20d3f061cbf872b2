{% macro strength_of_parent(parents, strengths) -%}
    {#- How many trials a parent counts for: M = 1 / (mu (1 - mu) tau2) - 1 with tau2 the variance of
        log-odds below it; never more than what the parent itself rests on. -#}
    least(
        coalesce(
            greatest(
                1 / nullif(
                    {{ parents }}.posterior_rate * (1 - {{ parents }}.posterior_rate)
                    * {{ strengths }}.log_odds_variance, 0
                ) - 1, 0.000001
            ),
            {{ parents }}.effective_trials + {{ parents }}.prior_strength
        ),
        {{ parents }}.effective_trials + {{ parents }}.prior_strength
    )
{%- endmacro %}
