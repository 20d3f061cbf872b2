{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] -%}
    {#- dbt's own for Spark takes no other strategies than its own ones. Here the new rows are a table
        first, since a view of them would be asked anew while the kept table changes. -#}
    {%- set strategy = config.get('incremental_strategy') or 'append' -%}
    {%- set existing = load_relation(this) -%}
    {%- set is_built_anew = existing is none or existing.is_view or should_full_refresh() -%}
    {%- set new = passing_table(this, '__dbt_tmp').incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- if not is_built_anew and way_of_writing(model) == 'loads' -%}
        {#- there are no transactions: rows that a killed run wrote and did not come to note -#}
        {%- do one_after_another([deletion(this, arrived_since_last_build())]) -%}
    {%- endif -%}

    {%- call statement('main', language=model['language']) -%}
        {{ create_table_as(False, new, compiled_code, model['language']) }}
    {%- endcall -%}

    {%- if is_built_anew -%}
        {{ put_in_place(existing, new) }}
    {%- else -%}
        {%- do process_schema_changes(
            incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore'),
            new, existing
        ) -%}
        {%- set strategy_sql = adapter.get_incremental_strategy_macro(context, strategy) -%}
        {{ one_after_another([strategy_sql({
            'target_relation': this,
            'temp_relation': new,
            'unique_key': config.get('unique_key'),
            'dest_columns': adapter.get_columns_in_relation(this),
            'incremental_predicates': none
        })]) }}
        {%- do run_query('drop table ' ~ new) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmaterialization %}

{% macro spark__get_incremental_append_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
