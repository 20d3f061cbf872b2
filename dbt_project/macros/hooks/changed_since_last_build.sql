{% macro changed_since_last_build(column, key='session_key') -%}
    {#- True for rows of sessions that changed since this model was built last: those that a model
        below it noted in raw.session_changes, by `key` (session_key, public_session_key or
        session_date). Always true when the model is built from nothing, when all sessions changed,
        and, of a model that shows values, when there is another version. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set below = models_below() -%}
        {%- set changes = source('raw', 'session_changes') -%}
        {%- set of_these = "model in ('" ~ below.noting | join("', '") ~ "')" -%}
        {%- set seen = run_query(
            "select change_number, versions from " ~ source('raw', 'changes_seen')
            ~ " where model = '" ~ this.identifier ~ "'").rows -%}
        {%- set since = seen[0][0] if seen else 0 -%}
        {%- set all_changed = run_query(
            "select count(*) from " ~ changes ~ " where session_key is null and change_number > "
            ~ since ~ " and " ~ of_these).rows[0][0] > 0 -%}
        {%- if not seen or all_changed or seen[0][1] != rows_of_versions(below.kept) -%}
            true
        {%- else -%}
            {{ column }} in (
                select changed.{{ key }} from {{ changes }} as changed
                where changed.change_number > {{ since }} and changed.{{ of_these }}
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro models_below() -%}
    {#- Of all models that this one is built on: `noting`, those that note changed sessions, and
        `kept`, the relations of the version tables. -#}
    {%- set noting, kept, seen, left = [], [], [], [model.unique_id] -%}
    {#- no model is looked at twice, so there are no more turns than nodes -#}
    {%- for _ in graph.nodes if left -%}
        {%- set node = graph.nodes[left.pop()] -%}
        {%- if node.config.meta.get('notes_changes') -%}{%- do noting.append(node.name) -%}{%- endif -%}
        {%- if node.config.meta.get('is_kept') -%}
            {%- do kept.append(node.schema ~ '.' ~ node.name) -%}
        {%- endif -%}
        {%- for parent in node.depends_on.nodes if parent in graph.nodes and parent not in seen -%}
            {%- do seen.append(parent) -%}
            {%- do left.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return({'noting': noting | sort, 'kept': kept | sort}) }}
{%- endmacro %}

{% macro rows_of_versions(tables) -%}
    {#- How many rows each of the version tables has, as one text: they only ever grow. -#}
    {%- set counts = [] -%}
    {%- for table in tables -%}
        {%- do counts.append(run_query("select count(*) from " ~ table).rows[0][0] | string) -%}
    {%- endfor -%}
    {{ return(counts | join(' ')) }}
{%- endmacro %}

{% macro remember_changes() -%}
    {#- Post-hook of a model that follows changed sessions, in its own transaction. -#}
    {%- set seen = source('raw', 'changes_seen') -%}
    delete from {{ seen }} where model = '{{ this.identifier }}';
    insert into {{ seen }}
    select
        '{{ this.identifier }}' as model,
        coalesce(max(change_number), 0) as change_number,
        '{{ rows_of_versions(models_below().kept) if execute }}' as versions
    from {{ source('raw', 'session_changes') }}
{%- endmacro %}
