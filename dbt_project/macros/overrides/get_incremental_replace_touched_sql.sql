{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {#- Incremental strategy: each touched visitor is replaced from one moment on.
        The new rows carry `touched_from`; of every visitor in them the old rows whose
        `touched_by` column is not before that moment go, then the new ones come in: what arrived
        is among them, so no touched visitor is without rows. With meta `notes_changes` the sessions
        that go and that come are noted as changed. -#}
    {%- set touched_by = config.get('meta')['touched_by'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set kept = arg_dict['target_relation'] -%}
    {%- set touched = "(select distinct visitor_key, touched_from from "
        ~ arg_dict['temp_relation'] ~ ") as touched" -%}
    {#- asked first, so that older rows need not be read; as text, see not_before -#}
    {%- set earliest = run_query(
        "select cast(coalesce(min(touched_from), timestamp '9999-12-31') as " ~ dbt.type_string()
        ~ ") from " ~ arg_dict['temp_relation']
    ).rows[0][0] -%}
    {%- set is_replaced = "kept.visitor_key = touched.visitor_key and kept." ~ touched_by
        ~ " >= touched.touched_from and kept." ~ touched_by ~ " >= timestamp '" ~ earliest ~ "'" -%}
    {%- if config.get('meta').get('notes_changes') -%}
        {%- set notes = note_changed_sessions(
            "select kept.session_key, kept.public_session_key, kept.session_date from " ~ kept
            ~ " as kept inner join " ~ touched ~ " on " ~ is_replaced
            ~ " union select session_key, public_session_key, session_date from "
            ~ arg_dict['temp_relation']
        ) -%}
    {%- endif -%}
    {{ one_after_another([
        notes or '',
        replacement(
            kept,
            is_replaced,
            columns,
            "select " ~ columns ~ " from " ~ arg_dict['temp_relation'],
            using=touched
        )
    ]) }}
{% endmacro %}
