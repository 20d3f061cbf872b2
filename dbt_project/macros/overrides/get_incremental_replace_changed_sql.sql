{% macro get_incremental_replace_changed_sql(arg_dict) %}
    {#- Incremental strategy: the rows of sessions that changed since the last build are replaced;
        meta `changed_by` names the column and the key by which they are found. -#}
    {%- set changed_by = config.get('meta')['changed_by'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {{ one_after_another([
        replacement(
            arg_dict['target_relation'],
            changed_since_last_build(**changed_by),
            columns,
            "select " ~ columns ~ " from " ~ arg_dict['temp_relation']
        )
    ]) }}
{% endmacro %}
