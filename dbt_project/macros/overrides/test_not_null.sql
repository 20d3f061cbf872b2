{% macro default__test_not_null(model, column_name) -%}
    {#- dbt's own test `not_null`; of a model that is written by loads, the loads that were not tested
        yet. -#}
    select {{ '*' if should_store_failures() else column_name }}
    from {{ model }}
    where {{ column_name }} is null and {{ not_tested_by_load() }}
{%- endmacro %}
