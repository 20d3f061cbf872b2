{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {#- Incremental strategy: each touched visitor is replaced from one moment on.
        The new rows carry `touched_from`; of every visitor in them the old rows whose
        `touched_by` column is not before that moment go, then the rows with a key come in.
        A touched visitor without rows is one row whose key is null. -#}
    {%- set key = config.require('unique_key') -%}
    {%- set touched_by = config.get('meta')['touched_by'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }} as kept
    using (
        select distinct visitor_key, touched_from from {{ arg_dict['temp_relation'] }}
    ) as touched
    where kept.visitor_key = touched.visitor_key
        and kept.{{ touched_by }} >= touched.touched_from;

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
    where {{ key }} is not null
{% endmacro %}
