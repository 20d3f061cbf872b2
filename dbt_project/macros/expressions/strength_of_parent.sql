{% macro strength_of_parent(parents, strengths) -%}
    {#- How many trials a parent counts for: M = 1 / (mu (1 - mu) tau2) - 1 with tau2 the variance of
        log-odds below it; never more than what the parent itself rests on, and that where nothing
        differs beyond chance. -#}
    {%- set known = parents ~ '.effective_trials + ' ~ parents ~ '.prior_strength' -%}
    {%- set rate = parents ~ '.posterior_rate' -%}
    {%- set spread = rate ~ ' * (1 - ' ~ rate ~ ') * ' ~ strengths ~ '.log_odds_variance' -%}
    case
        when {{ spread }} > 0 then least(greatest(1 / ({{ spread }}) - 1, 0.000001), {{ known }})
        else {{ known }}
    end
{%- endmacro %}
