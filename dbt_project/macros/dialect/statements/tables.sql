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

{% materialization table, adapter='spark', supported_languages=['sql', 'python'] -%}
    {#- dbt's own for Spark drops the old table first and writes the new one in its place. -#}
    {%- set existing = load_relation(this) -%}
    {%- set new = passing_table(this, '__dbt_tmp').incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- call statement('main', language=model['language']) -%}
        {{ create_table_as(False, new, compiled_code, model['language']) }}
    {%- endcall -%}
    {{ put_in_place(existing, new) }}

    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmaterialization %}

{% macro put_in_place(existing, new) -%}
    {#- Spark only: the table that was just written becomes this model's. -#}
    {%- if existing is none or existing.is_view -%}
        {%- if existing -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
        {%- do run_query('alter table ' ~ new ~ ' rename to ' ~ this) -%}
    {%- else -%}
        {{ one_after_another(spark_swap(this, new)) }}
    {%- endif -%}
{%- endmacro %}

{% macro drop_what_python_left() -%}
    {#- Post-hook of a Python model that is built bit by bit: drops the table that its new rows were
        written to first. The adapter takes that one for temporary, so each night would leave another;
        those of nights before, and of killed ones, go too. -#}
    {{ return(adapter.dispatch('drop_what_python_left', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__drop_what_python_left() -%}
    {%- set found = run_query(
        "select table_schema, table_name from information_schema.tables where table_catalog = '"
        ~ this.database ~ "' and starts_with(table_name, '" ~ this.identifier ~ "__dbt_tmp')"
    ).rows if execute else [] -%}
    {%- set statements = [] -%}
    {%- for row in found -%}
        {%- do statements.append('drop table "' ~ row[0] ~ '"."' ~ row[1] ~ '"') -%}
    {%- endfor -%}
    {{ one_after_another(statements) }}
{%- endmacro %}

{% macro spark__drop_what_python_left() -%}
    {#- It is dropped by the materialization, and what a killed run left by put_right. -#}
{%- endmacro %}
