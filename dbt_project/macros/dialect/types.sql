{% macro column_type(declared) -%}
    {#- A type as the YAML declares it, in the engine's words. -#}
    {{ return(adapter.dispatch('column_type', 'intent_map')(declared)) }}
{%- endmacro %}

{% macro duckdb__column_type(declared) -%}
    {{ return(declared) }}
{%- endmacro %}

{% macro spark__column_type(declared) -%}
    {%- set said = namespace(type=declared | replace('varchar', 'string') | replace('"', '`')) -%}
    {#- from the innermost record outwards, as deep as any is -#}
    {%- for _ in range(4) -%}
        {%- set said.type = modules.re.sub('struct\\(([^()]*)\\)', 'struct<\\1>', said.type) -%}
    {%- endfor -%}
    {%- set said.type = modules.re.sub('^(.*)\\[\\]$', 'array<\\1>', said.type) -%}
    {{ return(said.type) }}
{%- endmacro %}

{% macro spark__get_assert_columns_equivalent(sql) -%}
    {#- Of a model with a contract: its query must give the declared columns. Their types are cast by
        spark__get_select_subquery, since engines widen sums and products differently. -#}
    {%- set given = [] -%}
    {%- for column in get_columns_in_query(sql) -%}{%- do given.append(column) -%}{%- endfor -%}
    {%- set declared = model['columns'].keys() | list -%}
    {%- if given | sort != declared | sort -%}
        {{ exceptions.raise_compiler_error(
            this.identifier ~ ' has the columns ' ~ given | join(', ') ~ '; its contract says '
            ~ declared | join(', ')) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__get_select_subquery(sql) -%}
    {#- The rows of a model with a contract, in the declared order and types; a null where the contract
        allows none stops the build, since plain Parquet tables keep no constraints. -#}
    select
        {%- for column in model['columns'].values() %}
        {%- set type = column_type(column['data_type']) %}
        {%- set value = 'cast(' ~ column['name'] ~ ' as ' ~ type ~ ')' %}
        {% if column['constraints'] | selectattr('type', 'equalto', 'not_null') | list -%}
            coalesce({{ value }}, cast(raise_error(
                '{{ this.identifier }}: {{ column['name'] }} is null'
            ) as {{ type }}))
        {%- else -%}
            {{ value }}
        {%- endif %} as {{ column['name'] }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from ({{ sql }}) as model_subq
{%- endmacro %}

{% macro spark__persist_constraints(relation, model) -%}
{%- endmacro %}
