{% macro duckdb__load_csv_rows(model, agate_table) -%}
    {#- dbt's own for DuckDB has it guess the quotes, which takes 'a' for a, refuses a file whose lines
        end in two ways, and takes the folder's name for a pattern. -#}
    {%- set path = adapter.get_seed_file_path(model) -%}
    {%- set path = path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') -%}
    {%- set sql = 'copy ' ~ this ~ ' from ' ~ sql_text(path)
        ~ ' (format csv, header true, auto_detect false, delimiter \',\', quote \'"\', escape \'"\','
        ~ ' strict_mode false)' -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark__create_csv_table(model, agate_table) -%}
    {#- dbt's own for Spark knows no text type without a length. -#}
    {%- set declared = model['config'].get('column_types', {}) -%}
    {%- set columns = [] -%}
    {%- for name in agate_table.column_names -%}
        {%- do columns.append(name ~ ' ' ~ column_type(
            declared.get(name, adapter.convert_type(agate_table, loop.index0)))) -%}
    {%- endfor -%}
    {%- do run_query('drop table if exists ' ~ this) -%}
    {%- set sql = 'create table ' ~ this ~ ' (' ~ columns | join(', ') ~ ')' -%}
    {%- do run_query(sql) -%}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {#- dbt's own for Spark writes None for an empty cell and ends a text at its first quote. -#}
    {%- set declared = model['config'].get('column_types', {}) -%}
    {%- set casts = [] -%}
    {%- for name in agate_table.column_names -%}
        {%- do casts.append('cast(' ~ name ~ ' as ' ~ column_type(
            declared.get(name, adapter.convert_type(agate_table, loop.index0))) ~ ') as ' ~ name) -%}
    {%- endfor -%}
    {%- set written = namespace(sql='select 1') -%}
    {%- for rows in agate_table.rows | batch(1000) -%}
        {%- set lines = [] -%}
        {%- for row in rows -%}
            {%- set cells = [] -%}
            {%- for cell in row -%}{%- do cells.append(sql_text(cell)) -%}{%- endfor -%}
            {%- do lines.append('(' ~ cells | join(', ') ~ ')') -%}
        {%- endfor -%}
        {%- set written.sql = 'insert into ' ~ this ~ ' select ' ~ casts | join(', ')
            ~ ' from (values ' ~ lines | join(', ') ~ ') as seed ('
            ~ agate_table.column_names | join(', ') ~ ')' -%}
        {%- do run_query(written.sql) -%}
    {%- endfor -%}
    {{ return(written.sql) }}
{%- endmacro %}

{% macro spark__escape_single_quotes(expression) -%}
    {{ expression | replace('\\', '\\\\') | replace("'", "\\'") }}
{%- endmacro %}
