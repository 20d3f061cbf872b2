{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {#- dbt's own for Spark writes Python models for Databricks. Their code is run by
        orchestration/spark.py, which makes the table. -#}
    {%- if language == 'python' -%}
{{ compiled_code }}

written_to = "{{ relation }}"
    {%- else -%}
        {%- if config.get('contract').enforced -%}
            {{ get_assert_columns_equivalent(compiled_code) }}
            {%- set compiled_code = get_select_subquery(compiled_code) -%}
        {%- endif -%}
        create table {{ relation }}
        {{ file_format_clause() }}
        {{ options_clause() }}
        {{ tblproperties_clause() }}
        as
        {{ compiled_code }}
    {%- endif -%}
{%- endmacro %}
