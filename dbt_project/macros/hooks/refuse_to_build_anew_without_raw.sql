{% macro refuse_to_build_anew_without_raw() %}
    {#- Stops a full refresh that would lose what was built from raw rows that are retired since
        (docs/adr/0024); models that need no raw row can be built anew. -#}
    {%- set reading_raw = [] -%}
    {%- for name in selected_resources if execute and flags.FULL_REFRESH -%}
        {%- set node = graph.nodes.get(name) -%}
        {%- if node and node.config.materialized == 'incremental'
            and 'model.' ~ project_name ~ '.int_staged_events' in node.depends_on.nodes -%}
            {%- do reading_raw.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if reading_raw -%}
        {%- set retired = run_query(
            "select coalesce(sum(row_count), 0) from " ~ source('raw', 'removals')
            ~ " where reason = 'retired'").rows[0][0] -%}
        {%- if retired > 0 -%}
            {{ exceptions.raise_compiler_error(
                retired ~ ' raw rows are retired (raw_retention_days), and a full refresh would '
                ~ 'lose what was built from them. `intent-map retention --give-up` allows it.') }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
