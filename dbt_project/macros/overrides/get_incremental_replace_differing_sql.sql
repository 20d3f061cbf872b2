{% macro get_incremental_replace_differing_sql(arg_dict) %}
    {#- Incremental strategy of a small table that is computed whole: only rows that differ are
        written. With meta `speaks_of`, the columns by which sessions are found, the sessions that
        they speak of are noted as changed; with meta `and_of_later_ones` (beside a session_key) those
        of the same visitor that did not end before them too; with meta `date_of`, a column, the dates
        of these rows.
        With meta `part_by`, a column, the new rows are a part of the table: kept rows of other
        values stay. A value that has no rows any more is found by its kept rows of sessions that
        changed: `changed_by` says the column and the key, as for changed_since_last_build. -#}
    {%- set kept, new = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set key = config.require('unique_key') -%}
    {%- set key = key if key is string else key | join(', ') -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set speaks_of = meta.get('speaks_of', []) | join(', ') -%}
    {%- set date_of, part_by = meta.get('date_of'), meta.get('part_by') -%}
    {%- set changed_by = meta.get('changed_by') -%}
    {%- set differing = passing_table(new, '_differing') -%}

    {%- set compared -%}
    with compared as (
        select {{ columns }} from {{ kept }}
        {%- if part_by %}
        where {{ part_by }} in (
            select {{ part_by }} from {{ new }}
            {%- if changed_by %}
            union all
            select {{ part_by }} from {{ kept }}
            where {{ changed_since_last_build(changed_by['column'], changed_by['key']) }}
            {%- endif %}
        )
        {%- endif %}
    )
    select false as is_new, * from (select * from compared except select {{ columns }} from {{ new }})
    union all
    select true as is_new, * from (select {{ columns }} from {{ new }} except select * from compared)
    {%- endset -%}
    {%- if date_of -%}
        {#- a note of a date alone has a key that no session has -#}
        {%- set notes = note_changed_sessions(
            "select distinct 0 as session_key, 0 as public_session_key, " ~ date_of
            ~ " as session_date from " ~ differing
        ) -%}
    {%- elif meta.get('and_of_later_ones') -%}
        {%- set notes = note_changed_sessions(
            "select distinct later.session_key, later.public_session_key, later.session_date from "
            ~ ref('int_all_sessions') ~ " as spoken_of inner join " ~ ref('int_all_sessions')
            ~ " as later on spoken_of.visitor_key = later.visitor_key"
            ~ " and spoken_of.started_at <= later.ended_at"
            ~ " where spoken_of.session_key in (select session_key from " ~ differing ~ ")"
        ) -%}
    {%- elif speaks_of -%}
        {%- set notes = note_changed_sessions(
            "select session_key, public_session_key, session_date from "
            ~ ref('int_all_sessions')
            ~ " where (" ~ speaks_of ~ ") in (select " ~ speaks_of ~ " from " ~ differing ~ ")"
        ) -%}
    {%- endif -%}
    {{ one_after_another([
        create_passing_table(differing, compared),
        notes or '',
        replacement(
            kept,
            "(" ~ key ~ ") in (select " ~ key ~ " from " ~ differing ~ " where not is_new)",
            columns,
            "select " ~ columns ~ " from " ~ differing ~ " where is_new"
        ),
        "drop table " ~ differing
    ]) }}
{% endmacro %}
