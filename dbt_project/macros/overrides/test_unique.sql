{% macro copies_among_all(rows, columns) -%}
    {#- Query of the combinations of the columns that stand more than once in a model's rows, at least
        of those with a row that was not tested yet. The columns of models that a night writes in
        part are never null. -#}
    {%- set keys = columns | join(', ') -%}
    {%- set model_name = model.attached_node.split('.')[-1] if execute -%}
    {%- set untested = not_tested(model_name) if execute else 'true' -%}
    {%- set since = not_tested_since(model_name) if execute -%}
    select
        {{ keys }},
        max(copy_number) as copies
    from (
        {#- numbered, since that costs half of counting the rows of each combination -#}
        select
            {{ keys }},
            row_number() over (partition by {{ keys }} order by {{ columns[0] }}) as copy_number
        from {{ rows }}
        {% if untested | trim != 'true' -%}
            where
                ({{ keys }}) in (select {{ keys }} from {{ rows }} where {{ untested }})
                {% if since -%} and {{ since }} {%- endif %}
        {%- endif %}
    ) as rows_numbered
    where copy_number > 1
    group by {{ keys }}
{%- endmacro %}

{% macro default__test_unique(model, column_name) -%}
    {#- dbt's own test `unique`: nulls are no copies of each other. -#}
    {{ copies_among_all(
        "(select * from " ~ model ~ " where " ~ column_name ~ " is not null) as rows_there",
        [column_name]
    ) }}
{%- endmacro %}
