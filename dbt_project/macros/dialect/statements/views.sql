{% macro duckdb__create_view_as(relation, sql) -%}
    {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
    {{ config.get('sql_header') or '' }}
    create or replace view {{ relation }} as (
        {{ sql }}
    );
{%- endmacro %}

{% materialization view, adapter='duckdb' -%}
    {#- dbt's own moves the old view aside and the new one into its place. A run that is stopped then can
        leave none under the name; and it takes five statements. -#}
    {%- set existing = load_cached_relation(this) -%}
    {%- set view = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks) }}

    {%- if existing is not none and not existing.is_view -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ get_create_view_as_sql(view, sql) }}
    {%- endcall -%}
    {%- do persist_docs(view, model) -%}

    {{ run_hooks(post_hooks) }}

    {{ adapter.commit() }}

    {{ return({'relations': [view]}) }}
{%- endmaterialization %}
