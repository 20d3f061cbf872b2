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
