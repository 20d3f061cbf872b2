{% macro noop_statement(name=none, message=none, code=none, rows_affected=none, res=none) -%}
    {#- The last statement of a seed. dbt would write its SQL below the target folder under the
        seed's own path; a business file outside the clone has an absolute one, and its rows would
        be overwritten by that SQL. -#}
    {%- set sql = caller() -%}
    {%- do store_raw_result(
        name, message=message, code=code, rows_affected=rows_affected, agate_table=res
    ) -%}
{%- endmacro %}
