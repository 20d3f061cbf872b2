{% macro shifted_rate(rate, odds_factor) -%}
    {#- The rate whose odds are those of `rate` times the factor. -#}
    ({{ rate }} * {{ odds_factor }} / (1 - {{ rate }} + {{ rate }} * {{ odds_factor }}))
{%- endmacro %}
