{% macro correlation(left, right) -%}
    {#- Aggregate: the correlation of two expressions; 0 where one of them is the same throughout, as
        it then tells nothing about the other. -#}
    case
        when min({{ left }}) < max({{ left }}) and min({{ right }}) < max({{ right }})
            then corr({{ left }}, {{ right }})
        else 0.0
    end
{%- endmacro %}
