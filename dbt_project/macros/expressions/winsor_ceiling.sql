{% macro winsor_ceiling(value) -%}
    {#- Aggregate: the amount above which money is cut, at var winsor_quantile of those that are not
        nothing; 0 where all are. Where most bring nothing, the quantile of all would be nothing. -#}
    coalesce(
        {{ quantile(
            'case when ' ~ value ~ ' > 0 then cast(' ~ value ~ ' as double) end',
            var('winsor_quantile')
        ) }},
        0
    )
{%- endmacro %}
