{% macro default__test_accepted_values(model, column_name, values, quote=True) -%}
    {#- dbt's own test `accepted_values`, where null is no value; of a model that is written by loads,
        the loads that were not tested yet. -#}
    select
        {{ column_name }} as value_field,
        count(*) as n_records
    from {{ model }}
    where
        {{ column_name }} not in (
            {%- for value in values -%}
                {{ sql_text(value) if quote else value }}{{ ', ' if not loop.last }}
            {%- endfor -%}
        )
        and {{ not_tested_by_load() }}
    group by {{ column_name }}
{%- endmacro %}
