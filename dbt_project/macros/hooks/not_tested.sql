{% macro not_tested(model_name, raw_rows=false) -%}
    {#- True at least for all rows of a model that were written since its tests of what is written
        passed last, so that a night tests what it wrote and not the whole history. True for every
        row when that is not known. raw_rows: the rows asked about are those that came, of whatever
        source, and not what the model made of them. -#}
    {%- set way = way_of_writing_of(model_name) -%}
    {%- if way == 'loads' -%}
        {%- set marks = tested_up_to(model_name) -%}
        {%- if marks -%}
            {{ is_of_later_load(marks, none if raw_rows else sources_received()) }}
        {%- else -%}
            true
        {%- endif -%}
    {%- else -%}
        {%- set changed_by = model_named(model_name).config.meta['changed_by']
            if way == 'changes' else {} -%}
        {{ is_of_changes(
            untested_changes(model_name),
            changed_by.get('column', 'session_key'),
            changed_by.get('key', 'session_key'),
            changed_by.get('dated_by')
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro not_tested_by_load() -%}
    {#- For a generic test that looks at each row alone: not_tested of a model that is written by loads,
        which stand together; true for all others, since looking for their rows costs more than
        looking at all. -#}
    {%- set model_name = (model.attached_node or '').split('.')[-1] -%}
    {{ not_tested(model_name) if way_of_writing_of(model_name) == 'loads' else 'true' }}
{%- endmacro %}

{% macro not_tested_since(model_name) -%}
    {#- A bound that holds for all rows, tested or not, of the sessions that not_tested finds, so that
        older rows need not be read; none where the model has no such column, or it is not known. -#}
    {%- set changes = untested_changes(model_name)
        if way_of_writing_of(model_name) == 'changes' else none -%}
    {%- set dated_by = model_named(model_name).config.meta['changed_by'].get('dated_by')
        if changes is not none else none -%}
    {{ return(dated_by ~ " >= date '" ~ date_before(changes, 1) ~ "'" if dated_by else none) }}
{%- endmacro %}

{% macro is_on_untested_date(date_column, model_names) -%}
    {#- True at least for the dates of all sessions by which one of these models was written since its
        tests of what is written passed last. Models that follow changed sessions. -#}
    {%- set written = [] -%}
    {%- for model_name in model_names -%}
        {%- do written.append(untested_changes(model_name)) -%}
    {%- endfor -%}
    {%- if none in written -%}
        true
    {%- else -%}
        {{ date_column }} in (
            {%- for changes in written %}
            select changed.session_date {{ changes.noted }}
            {%- if not loop.last %} union all{% endif %}
            {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro untested_changes(model_name) -%}
    {#- The changes by which rows were written since a model's tests of what is written passed last,
        see changes_noted; none when that is not known. Not of a model that is written by loads. -#}
    {%- set marks = tested_up_to(model_name) -%}
    {%- if not marks -%}{{ return(none) }}{%- endif -%}
    {%- set node = model_named(model_name) -%}
    {{ return(changes_noted(
        raw_table('session_changes'),
        marks[0][1],
        models_that_note(node.unique_id) if way_of_writing(node) == 'changes' else [model_name]
    )) }}
{%- endmacro %}

{% macro tested_up_to(model_name) -%}
    {#- Rows of source and load, or one with the number of a change, up to which a model is tested;
        none when that is not known. -#}
    {{ return(run_query(
        "select source_system, last_tested from " ~ raw_table('tested')
        ~ " where model = '" ~ model_name ~ "'").rows
        if execute and way_of_writing_of(model_name) and raw_table_exists('tested') else []) }}
{%- endmacro %}

{% macro sources_received() -%}
    {#- Sources of all rows that have been judged, for tests. -#}
    {{ return(run_query(
        "select source_system from " ~ raw_table('watermarks')
        ~ " where model = 'int_event_receipts'").columns[0].values() | list) }}
{%- endmacro %}

{% macro model_named(model_name) -%}
    {#- Its node; none while the project is only read. -#}
    {{ return(graph.nodes.get('model.' ~ project_name ~ '.' ~ model_name) if execute else none) }}
{%- endmacro %}

{% macro way_of_writing_of(model_name) -%}
    {#- See way_of_writing, by name. -#}
    {%- set node = model_named(model_name) -%}
    {{ return(way_of_writing(node) if node else none) }}
{%- endmacro %}

{% macro way_of_writing(node) -%}
    {#- By what the rows that a model wrote are found: by loads, by the changes that it followed, or by
        the sessions that it noted itself; none of a model that must be tested whole. -#}
    {%- set strategy = node.config.get('incremental_strategy') -%}
    {%- if strategy == 'append' and 'load_id' in node.columns -%}
        {{ return('loads') }}
    {%- elif strategy == 'replace_changed' -%}
        {{ return('changes') }}
    {%- elif strategy == 'replace_users'
        or (strategy == 'replace_touched' and node.config.meta.get('notes_changes')) -%}
        {{ return('notes') }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{% macro raw_table(name) -%}
    {#- Name of a declared raw table, for tests: with source() they would hang on it. -#}
    {%- for node in graph.sources.values() if node.source_name == 'raw' and node.name == name -%}
        {{ return(node.schema ~ '.' ~ node.identifier) }}
    {%- endfor -%}
{%- endmacro %}

{% macro raw_table_exists(name) -%}
    {#- False where a query is only compiled, before any run has made the declared tables. -#}
    {{ return(load_relation(api.Relation.create(
        database=target.get('database'), schema=raw_table(name).split('.')[0], identifier=name
    )) is not none) }}
{%- endmacro %}

{% macro forget_tested() -%}
    {#- In hooks of a model that was built from nothing: none of its rows is tested. -#}
    {%- if not is_incremental() -%}
        {{ deletion(source('raw', 'tested'), "model = '" ~ this.identifier ~ "'") }}
    {%- endif -%}
{%- endmacro %}

{% macro remember_tested(results) -%}
    {#- At the end of a run: models all of whose tests of what is written have passed are tested up to
        what they have seen. -#}
    {%- set passed, statements = [], [] -%}
    {%- for result in (results if execute else []) if result.status == 'pass' -%}
        {%- do passed.append(result.node.unique_id) -%}
    {%- endfor -%}
    {%- for node in (graph.nodes.values() if execute else [])
        if passed and node.resource_type == 'model' and way_of_writing(node) -%}
        {%- set left, ran = [], [] -%}
        {%- for test in graph.nodes.values() if tests_what_is_written(test, node) -%}
            {%- do (ran if test.unique_id in passed else left).append(test.name) -%}
        {%- endfor -%}
        {%- if ran and not left -%}
            {%- set noted -%}
            insert into {{ source('raw', 'tested') }}
            {% if way_of_writing(node) == 'loads' -%}
                select model, source_system, load_id as last_tested
                from {{ source('raw', 'watermarks') }}
                where model = '{{ node.name }}'
            {%- elif way_of_writing(node) == 'notes' -%}
                select
                    '{{ node.name }}' as model,
                    null as source_system,
                    {{ next_change_number() }} - 1 as last_tested
            {%- else -%}
                select model, null as source_system, change_number as last_tested
                from {{ source('raw', 'changes_seen') }}
                where model = '{{ node.name }}'
            {%- endif -%}
            {%- endset -%}
            {%- do statements.append(
                deletion(source('raw', 'tested'), "model = '" ~ node.name ~ "'")) -%}
            {%- do statements.append(noted) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ one_after_another(statements) }}
{%- endmacro %}

{% macro tests_what_is_written(test, node) -%}
    {#- Whether a node is a test that reads `not_tested` of this model. -#}
    {{ return(
        test.resource_type == 'test'
        and (
            test.attached_node == node.unique_id
            and (
                test.test_metadata.name in ('unique', 'is_unique_together')
                or test.test_metadata.name in ('not_null', 'accepted_values')
                and way_of_writing(node) == 'loads'
            )
            or node.name in test.config.meta.get('tests_what_is_written', [])
        )
    ) }}
{%- endmacro %}
