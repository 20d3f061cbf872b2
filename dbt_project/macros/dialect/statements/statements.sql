{% macro one_after_another(statements) -%}
    {#- Several statements as one hook or strategy; empty ones are left out. -#}
    {{ return(adapter.dispatch('one_after_another', 'intent_map')(
        statements | map('trim') | select | list
    )) }}
{%- endmacro %}

{% macro duckdb__one_after_another(statements) -%}
    {{ statements | join(';\n') }}
{%- endmacro %}

{% macro spark__one_after_another(statements) -%}
    {#- One statement at a time is taken there, so they are run here, and nothing is left to run. -#}
    {%- for statement in statements if execute -%}
        {%- set parts = statement.split(spark_statement_end()) | map('trim') | select | list -%}
        {%- if parts[0].startswith(spark_only_where()) -%}
            {%- set ways = (parts[1:] | join(spark_statement_end())).split(spark_otherwise()) -%}
            {%- set way = ways[0] if run_query(parts[0]).rows | length > 0 else ways[1] or '' -%}
            {%- set parts = way.split(spark_statement_end()) | map('trim') | select | list -%}
        {%- endif -%}
        {%- for part in parts -%}{%- do run_query(part) -%}{%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro spark_statement_end() -%}
    {{ return('\n-- end of statement\n') }}
{%- endmacro %}

{% macro spark_only_where() -%}
    {#- In front of a query without whose rows the statements behind it are left out. -#}
    {{ return('-- only where there are rows\n') }}
{%- endmacro %}

{% macro spark_otherwise() -%}
    {#- Between these and the statements that are run when there are none. -#}
    {{ return('\n-- otherwise\n') }}
{%- endmacro %}

{% macro deletion(relation, condition, using=none) -%}
    {#- Statement that takes the rows of a table, called `kept` there, for which the condition is true;
        using: a table expression, for rows that it is true for with any row of that. -#}
    {{ return(adapter.dispatch('deletion', 'intent_map')(relation, condition, using)) }}
{%- endmacro %}

{% macro duckdb__deletion(relation, condition, using) -%}
    delete from {{ relation }} as kept
    {%- if using %}
    using {{ using }}
    {%- endif %}
    where {{ condition }}
{%- endmacro %}

{% macro spark__deletion(relation, condition, using) -%}
    {{ spark_written_anew(relation, condition, using) | join(spark_statement_end()) }}
{%- endmacro %}

{% macro replacement(relation, condition, columns, query, using=none) -%}
    {#- Statement that takes rows of a table as deletion does and puts in those of a query, with these
        columns, so that no run that is killed can do the one without the other. -#}
    {{ return(adapter.dispatch('replacement', 'intent_map')(
        relation, condition, columns, query, using
    )) }}
{%- endmacro %}

{% macro duckdb__replacement(relation, condition, columns, query, using) -%}
    {#- in one transaction -#}
    {{ one_after_another([
        deletion(relation, condition, using), insertion(relation, columns, query)
    ]) }}
{%- endmacro %}

{% macro spark__replacement(relation, condition, columns, query, using) -%}
    {{ spark_written_anew(relation, condition, using, columns, query) | join(spark_statement_end()) }}
    {{- spark_otherwise() }}
    {{- insertion(relation, columns, query) }}
{%- endmacro %}

{% macro insertion(relation, columns, query) -%}
    insert into {{ relation }} ({{ columns }}) {{ query }}
{%- endmacro %}

{% macro spark_written_anew(relation, condition, using, columns=none, query=none) -%}
    {#- Plain Parquet has no delete: what stays is written beside the table, and what comes to it, and
        takes its place. -#}
    {%- set left = passing_table(relation, '__left') -%}
    {%- set rows -%}
        from {{ relation }} as kept
        {% if using -%}
            left {{ '{}' }} join {{ using }} on {{ condition }}
        {%- else -%}
            where {{ '{}' }} coalesce({{ condition }}, false)
        {%- endif %}
    {%- endset -%}
    {{ return([
        spark_only_where() ~ 'select 1 ' ~ rows.replace('{}', 'semi' if using else '') ~ ' limit 1',
        'create table ' ~ left ~ ' as select kept.* '
        ~ rows.replace('{}', 'anti' if using else 'not')
    ] + ([insertion(left, columns, query)] if query else []) + spark_swap(relation, left)) }}
{%- endmacro %}

{% macro spark_swap(relation, new) -%}
    {#- Statements that put a table in the place of another. Killed between the first two, they leave
        the old one beside its place: see put_right. -#}
    {%- set right = passing_table(relation, '__right') -%}
    {{ return([
        'alter table ' ~ relation ~ ' rename to ' ~ right,
        'alter table ' ~ new ~ ' rename to ' ~ relation,
        'drop table ' ~ right
    ]) }}
{%- endmacro %}

{% macro put_right() -%}
    {#- At the start of a run: what a killed one left half done in places where nothing is undone. -#}
    {{ return(adapter.dispatch('put_right', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__put_right() -%}
    {#- Transactions undo it. -#}
{%- endmacro %}

{% macro spark__put_right() -%}
    {#- A table that waits beside its empty place goes back there; all other passing tables go. -#}
    {%- set places = {} -%}
    {%- if execute -%}
        {%- set schemas = run_query('show schemas').columns[0].values() -%}
        {%- for node in (graph.nodes.values() | list) + (graph.sources.values() | list)
            if node.schema in schemas -%}
            {%- do places.setdefault(node.schema, []).append(
                node.identifier or node.alias or node.name
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for schema, ours in places.items() -%}
        {%- set there = run_query('show tables in ' ~ schema).columns['tableName'].values() -%}
        {%- for name in there -%}
            {%- set found = modules.re.fullmatch(
                '(.+?)__(left|right|dbt_tmp)(_differing|_[0-9a-f]{8})+', name
            ) -%}
            {%- if found and found[1] in ours -%}
                {%- set passing = adapter.get_relation(none, schema, name) -%}
                {%- if found[2] == 'right' and found[1] not in there -%}
                    {%- do adapter.rename_relation(
                        passing,
                        api.Relation.create(schema=schema, identifier=found[1], type='table')
                    ) -%}
                {%- else -%}
                    {%- do adapter.drop_relation(passing) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro passing_table(beside, suffix) -%}
    {#- Relation of a table that is dropped in the same build, beside another relation. -#}
    {{ return(adapter.dispatch('passing_table', 'intent_map')(beside, suffix)) }}
{%- endmacro %}

{% macro duckdb__passing_table(beside, suffix) -%}
    {{ return(api.Relation.create(identifier=beside.identifier ~ suffix)) }}
{%- endmacro %}

{% macro spark__passing_table(beside, suffix) -%}
    {#- of this run: where one is killed that writes or drops a table, its folder stays, and no table
        can get that name again -#}
    {{ return(api.Relation.create(
        schema=beside.schema, identifier=beside.identifier ~ suffix ~ '_' ~ invocation_id[:8]
    )) }}
{%- endmacro %}

{% macro create_passing_table(relation, query) -%}
    {#- Statement that fills it. -#}
    {{ return(adapter.dispatch('create_passing_table', 'intent_map')(relation, query)) }}
{%- endmacro %}

{% macro duckdb__create_passing_table(relation, query) -%}
    create temporary table {{ relation }} as
    {{ query }}
{%- endmacro %}

{% macro spark__create_passing_table(relation, query) -%}
    {#- no temporary view, which would be asked anew when the table it reads has changed -#}
    create table {{ relation }} as {{ query }}
{%- endmacro %}

{% macro kept_statements(statements) -%}
    {#- Statements of a hook that outlive the connection in which it runs. -#}
    {{ return(adapter.dispatch('kept_statements', 'intent_map')(statements)) }}
{%- endmacro %}

{% macro duckdb__kept_statements(statements) -%}
    {#- dbt rolls the hook's own transaction back when it closes the connection -#}
    {{ one_after_another(statements + ['commit', 'begin transaction;']) }}
{%- endmacro %}

{% macro spark__kept_statements(statements) -%}
    {{ one_after_another(statements) }}
{%- endmacro %}
