{% macro not_before(column, query) -%}
    {#- True for rows at or after the moment that the query gives, looked up when the model is
        compiled so that older parts of a table need not be read; for no row when there is no such
        moment, and for every row when the model is built from nothing. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {#- as text: Python's clock cannot tell the first day of its calendar -#}
        {%- set moment = run_query(
            "select cast(asked.moment as " ~ dbt.type_string() ~ ") from (" ~ query
            ~ ") as asked (moment)"
        ).rows[0][0] -%}
        {{ column ~ " >= cast('" ~ moment ~ "' as timestamp)" if moment else 'false' }}
    {%- endif -%}
{%- endmacro %}
