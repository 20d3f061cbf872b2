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
        {%- if not parts[0].startswith(spark_only_where()) -%}
            {%- for part in parts -%}{%- do run_query(part) -%}{%- endfor -%}
        {%- elif run_query(parts[0]).rows | length > 0 -%}
            {%- for part in parts[1:] -%}{%- do run_query(part) -%}{%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro spark_statement_end() -%}
    {{ return('\n-- end of statement\n') }}
{%- endmacro %}

{% macro spark_only_where() -%}
    {#- In front of a query without whose rows the statements behind it are left out. -#}
    {{ return('-- only where there are rows\n') }}
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
    {#- Plain Parquet has no delete: what stays is written beside the table and takes its place. -#}
    {%- set left, right = relation ~ '__left', relation ~ '__right' -%}
    {%- set rows -%}
        from {{ relation }} as kept
        {% if using -%}
            left {{ '{}' }} join {{ using }} on {{ condition }}
        {%- else -%}
            where {{ '{}' }} coalesce({{ condition }}, false)
        {%- endif %}
    {%- endset -%}
    {{ [
        spark_only_where() ~ 'select 1 ' ~ rows.replace('{}', 'semi' if using else '') ~ ' limit 1',
        'drop table if exists ' ~ left,
        'create table ' ~ left ~ ' as select kept.* '
        ~ rows.replace('{}', 'anti' if using else 'not'),
        'alter table ' ~ relation ~ ' rename to ' ~ right,
        'alter table ' ~ left ~ ' rename to ' ~ relation,
        'drop table ' ~ right
    ] | join(spark_statement_end()) }}
{%- endmacro %}

{% macro passing_table(beside, suffix) -%}
    {#- Relation of a table that is dropped in the same build, beside another relation. -#}
    {{ return(adapter.dispatch('passing_table', 'intent_map')(beside, suffix)) }}
{%- endmacro %}

{% macro duckdb__passing_table(beside, suffix) -%}
    {{ return(api.Relation.create(identifier=beside.identifier ~ suffix)) }}
{%- endmacro %}

{% macro spark__passing_table(beside, suffix) -%}
    {{ return(api.Relation.create(schema=beside.schema, identifier=beside.identifier ~ suffix)) }}
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
    {{ ['drop table if exists ' ~ relation, 'create table ' ~ relation ~ ' as ' ~ query]
        | join(spark_statement_end()) }}
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
