{% macro step_by_step(name, first, next, times) -%}
    {#- Query of a CTE of that name: the rows of `first`, and what `next`, which reads the CTE, makes of
        the rows of the step before, again and again. times: SQL query of how often at most. -#}
    {{ return(adapter.dispatch('step_by_step', 'intent_map')(name, first, next, times)) }}
{%- endmacro %}

{% macro duckdb__step_by_step(name, first, next, times) -%}
    {{ first }}

    union all

    {{ next }}
{%- endmacro %}

{% macro spark__step_by_step(name, first, next, times) -%}
    {#- A recursion may not aggregate there, so each step is a CTE of its own. -#}
    {%- set most = (run_query(times).rows[0][0] or 0) | int if execute else 0 -%}
    with

    {{ name }}_0 as (
        select * from ({{ first }}) where {{ computed_once() }}
    )
    {%- for step in range(most) %},

    {{ name }}_{{ step + 1 }} as (
        select *
        from (
            {{ next.replace('from ' ~ name, 'from ' ~ name ~ '_' ~ step ~ ' as ' ~ name) }}
        )
        where {{ computed_once() }}
    )
    {%- endfor %}
    {%- for step in range(most + 1) %}

    {{ 'union all' if step }}
    select * from {{ name }}_{{ step }}
    {%- endfor %}
{%- endmacro %}
