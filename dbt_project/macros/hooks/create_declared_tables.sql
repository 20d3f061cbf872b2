{% macro create_declared_tables() %}
    {#- Creates what a first run reads before anything has filled it, empty and from its YAML:
        the raw tables, the watermarks and the version tables (meta `is_kept`). Version tables of an
        earlier release get the columns that came since, empty. -#}
    {%- if execute -%}
        {%- set statements = [] -%}
        {%- for node in graph.sources.values() -%}
            {%- do statements.extend(creation_if_missing(node)) -%}
        {%- endfor -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.config.meta.get('is_kept') -%}
            {#- asked first, since a table that is to be created counts as there -#}
            {%- do statements.extend(missing_columns(node)) -%}
            {%- do statements.extend(creation_if_missing(node)) -%}
        {%- endfor -%}
        {{ kept_statements(statements) }}
    {%- endif -%}
{% endmacro %}

{% macro creation_if_missing(node) %}
    {#- DDL of one declared relation, or nothing when a table or view of that name is there. -#}
    {%- set name = node.identifier or node.alias or node.name -%}
    {%- if adapter.get_relation(node.database, node.schema, name) is not none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- do adapter.cache_added(api.Relation.create(
        database=node.database, schema=node.schema, identifier=name, type='table'
    )) -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- do columns.append(adapter.quote(column.name) ~ ' ' ~ column_type(column.data_type)) -%}
    {%- endfor -%}
    {{ return([
        'create schema if not exists ' ~ node.schema,
        'create table ' ~ node.schema ~ '.' ~ name ~ ' (' ~ columns | join(', ') ~ ')'
    ]) }}
{% endmacro %}

{% macro missing_columns(node) %}
    {#- DDL of the declared columns that a table does not have yet, or nothing. -#}
    {%- set relation = adapter.get_relation(node.database, node.schema, node.alias or node.name) -%}
    {%- set statements = [] -%}
    {%- if relation is not none -%}
        {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
        {%- for column in node.columns.values() if column.name not in there -%}
            {%- do statements.append(
                'alter table ' ~ node.schema ~ '.' ~ (node.alias or node.name) ~ ' add column '
                ~ adapter.quote(column.name) ~ ' ' ~ column_type(column.data_type)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(statements) }}
{% endmacro %}
