{% macro get_incremental_replace_differing_sql(arg_dict) %}
    {#- Incremental strategy of a small table that is computed whole: only rows that differ are
        written. With meta `speaks_of`, the columns by which sessions are found, the sessions that
        they speak of are noted as changed; with meta `date_of`, a column, the dates of these rows. -#}
    {%- set kept, new = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set key = config.require('unique_key') -%}
    {%- set key = key if key is string else key | join(', ') -%}
    {%- set speaks_of = config.get('meta').get('speaks_of', []) | join(', ') -%}
    {%- set gone = "select " ~ columns ~ " from " ~ kept ~ " except select " ~ columns ~ " from " ~ new -%}
    {%- set come = "select " ~ columns ~ " from " ~ new ~ " except select " ~ columns ~ " from " ~ kept -%}
    {%- set date_of = config.get('meta').get('date_of') -%}
    {%- if date_of -%}
        {#- a note of a date alone has a key that no session has -#}
        {{ note_changed_sessions(
            "select 0 as session_key, 0 as public_session_key, " ~ date_of ~ " as session_date from ("
            ~ gone ~ ") union select 0, 0, " ~ date_of ~ " from (" ~ come ~ ")"
        ) }};
    {%- elif speaks_of -%}
        {{ note_changed_sessions(
            "select session_key, public_session_key, session_date from "
            ~ ref('int_all_sessions')
            ~ " where (" ~ speaks_of ~ ") in (select " ~ speaks_of ~ " from (" ~ gone ~ ")"
            ~ " union select " ~ speaks_of ~ " from (" ~ come ~ "))"
        ) }};
    {%- endif %}

    delete from {{ kept }}
    where ({{ key }}) in (select {{ key }} from ({{ gone }}));

    insert into {{ kept }} ({{ columns }})
    select {{ columns }} from {{ new }}
    where ({{ key }}) not in (select {{ key }} from {{ kept }})
{% endmacro %}
