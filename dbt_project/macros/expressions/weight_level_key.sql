{% macro weight_level_key(tier_rank, weight) -%}
    {#- Number of a tier and the highest weight so far within it, for the level `weight` of states:
        30700000 is tier 3 with weight 0.7. -#}
    cast(round((10 * {{ tier_rank }} + {{ weight }}) * 1000000) as bigint)
{%- endmacro %}
