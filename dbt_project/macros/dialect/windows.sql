{% macro in_sorted_rows(function, partition_by, order_by, so_far=false) -%}
    {#- A window function over rows that the query in front has already sorted by partition and order;
        so_far: up to the row itself. An engine that keeps that order streams through it, without
        partitions and without sorting again: there the row before or behind may be another
        partition's, and row numbers go on over partitions, so a caller compares the partition's
        columns. -#}
    {{ return(adapter.dispatch('in_sorted_rows', 'intent_map')(
        function, partition_by, order_by, so_far
    )) }}
{%- endmacro %}

{% macro default__in_sorted_rows(function, partition_by, order_by, so_far) -%}
    {{ function }} over (
        partition by {{ partition_by | join(', ') }} order by {{ order_by }}
        {{ 'rows between unbounded preceding and current row' if so_far }}
    )
{%- endmacro %}

{% macro duckdb__in_sorted_rows(function, partition_by, order_by, so_far) -%}
    {{ function }} over ({{ 'rows between unbounded preceding and current row' if so_far }})
{%- endmacro %}

{% macro last_known(expression) -%}
    {#- Window function: the last value that is not null. -#}
    {{ return(adapter.dispatch('last_known', 'intent_map')(expression)) }}
{%- endmacro %}

{% macro duckdb__last_known(expression) -%}
    last_value({{ expression }} ignore nulls)
{%- endmacro %}

{% macro spark__last_known(expression) -%}
    last_value({{ expression }}, true)
{%- endmacro %}
