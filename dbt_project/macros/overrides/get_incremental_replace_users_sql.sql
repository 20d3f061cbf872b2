{% macro get_incremental_replace_users_sql(arg_dict) %}
    {#- Incremental strategy: each touched user's rows are replaced from one date on. The new rows carry
        `touched_from`; a user who has none any more is found by the kept rows whose session changed,
        in the columns `changed_by` of the model's meta, from `days_before` days before them on;
        besides: models whose notes say nothing to this one. -#}
    {%- set meta = config.get('meta') -%}
    {%- set kept, new = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set touched -%}
        select user_key, touched_from from {{ new }}
        {%- for column in meta['changed_by'] %}
        union all
        select
            user_key,
            cast({{ dbt.dateadd('day', -meta.get('days_before', 0), 'date') }} as date)
                as touched_from
        from {{ kept }}
        where {{ changed_since_last_build(column, besides=meta.get('besides', [])) }}
        {%- endfor %}
    {%- endset -%}
    {#- asked first, so that older rows need not be read -#}
    {%- set earliest = run_query("select min(touched_from) from (" ~ touched ~ ") as touched").rows[0][0] -%}
    {%- set rows = "select " ~ columns ~ " from " ~ new -%}
    {%- if earliest -%}
        {%- set touched_users -%}
            (
                select
                    user_key,
                    min(touched_from) as touched_from
                from ({{ touched }}) as all_touched
                group by user_key
            ) as touched
        {%- endset -%}
        {%- set replaced = replacement(
            kept,
            "kept.user_key = touched.user_key and kept.date >= touched.touched_from"
            ~ " and kept.date >= date '" ~ earliest ~ "'",
            columns,
            rows,
            using=touched_users
        ) -%}
    {%- endif -%}
    {{ one_after_another([
        replaced or insertion(kept, columns, rows),
        note_changed_sessions(
            "select session_key, null as public_session_key, min(date) as session_date from " ~ new
            ~ " group by session_key"
        )
    ]) }}
    {#- the notes: nothing but the tests asks for these; whose rows were written cannot be told later -#}
{% endmacro %}
