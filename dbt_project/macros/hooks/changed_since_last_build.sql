{% macro changed_since_last_build(column, key='session_key', besides=[]) -%}
    {#- True for rows of sessions that changed since this model was built last: those that a model
        below it noted in raw.session_changes, by `key` (session_key, public_session_key or
        session_date). besides: models whose notes say nothing to this one. Always true when the
        model is built from nothing, and when all sessions changed. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set changes = source('raw', 'session_changes') -%}
        {%- set of_these = "model in ('" ~ (models_that_note(model.unique_id) | reject('in', besides)) | join("', '") ~ "')" -%}
        {%- set seen = run_query(
            "select change_number from " ~ source('raw', 'changes_seen')
            ~ " where model = '" ~ this.identifier ~ "'").rows -%}
        {%- set since = seen[0][0] if seen else 0 -%}
        {%- set all_changed = run_query(
            "select count(*) from " ~ changes ~ " where session_key is null and change_number > "
            ~ since ~ " and " ~ of_these).rows[0][0] > 0 -%}
        {%- if not seen or all_changed -%}
            true
        {%- else -%}
            {{ column }} in (
                select changed.{{ key }} from {{ changes }} as changed
                where changed.change_number > {{ since }} and changed.{{ of_these }}
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro models_that_note(unique_id) -%}
    {#- Names of the models that note changed sessions and that this node is built on, or itself. What
        lies below one of them is left out: what comes of it there, that model notes. -#}
    {%- set noting, seen, left = [], [], [unique_id] -%}
    {#- no model is looked at twice, so there are no more turns than nodes -#}
    {%- for _ in graph.nodes if left -%}
        {%- set node = graph.nodes[left.pop()] -%}
        {%- if node.config.meta.get('notes_changes') -%}
            {%- do noting.append(node.name) -%}
        {%- else -%}
            {%- for parent in node.depends_on.nodes if parent in graph.nodes and parent not in seen -%}
                {%- do seen.append(parent) -%}
                {%- do left.append(parent) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(noting | sort) }}
{%- endmacro %}

{% macro remember_changes() -%}
    {#- Post-hook of a model that follows changed sessions, in its own transaction. -#}
    {%- set seen = source('raw', 'changes_seen') -%}
    {{ forget_tested() }}
    delete from {{ seen }} where model = '{{ this.identifier }}';
    insert into {{ seen }} (model, change_number)
    select
        '{{ this.identifier }}' as model,
        coalesce(max(change_number), 0) as change_number
    from {{ source('raw', 'session_changes') }}
{%- endmacro %}
