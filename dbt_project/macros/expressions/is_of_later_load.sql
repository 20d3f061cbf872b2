{% macro is_of_later_load(last_loads) -%}
    {#- True for rows (source_system, load_id) of a load behind the last one of its source, and of
        sources that have none. last_loads: rows of source and load. -#}
    (
        {%- for row in last_loads %}
        (source_system = '{{ row[0] }}' and load_id > {{ row[1] }}) or
        {%- endfor %}
        source_system not in ('' {%- for row in last_loads %}, '{{ row[0] }}'{% endfor %})
    )
{%- endmacro %}
