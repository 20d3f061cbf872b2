{% macro lift_of_ratio(ratio, share_with) -%}
    {#- Lift against all of a rate that is `ratio` times the rate of those without, when
        `share_with` of all are with: r / (w r + 1 - w). Rises with the ratio, 1 where it is 1. -#}
    ({{ ratio }}) / ({{ share_with }} * ({{ ratio }}) + 1 - {{ share_with }})
{%- endmacro %}
