{% macro arrived_since_last_build(model=none) -%}
    {#- True for rows (source_system, load_id) of loads that this model has not seen, by its own
        watermarks or those of the model named; always true when it is built from nothing. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set marks = run_query(
            "select model, source_system, load_id from " ~ source('raw', 'watermarks')
            ~ " where model in ('int_event_receipts', '" ~ this.identifier ~ "')").rows -%}
        {%- set of_model = model or this.identifier -%}
        {%- set seen, received = [], [] -%}
        {%- for mark in marks -%}
            {%- if mark[0] == of_model -%}{%- do seen.append([mark[1], mark[2]]) -%}{%- endif -%}
            {%- if mark[0] == 'int_event_receipts' -%}{%- do received.append(mark[1]) -%}{%- endif -%}
        {%- endfor -%}
        {#- what has been judged is of known sources -#}
        {{ is_of_later_load(seen, received if of_model != 'int_event_receipts' else none) }}
    {%- endif -%}
{%- endmacro %}

{% macro is_of_later_load(last_loads, sources=none) -%}
    {#- True for rows (source_system, load_id) of a load behind the last one of its source, and of
        sources that have none. last_loads: rows of source and load. sources: all that the rows are
        of, where that is known: if each has a last load, then older rows need not be read. -#}
    {%- set known = last_loads | map(attribute=0) | list -%}
    (
        {%- for row in last_loads %}
        (source_system = '{{ row[0] }}' and load_id > {{ row[1] }}) or
        {%- endfor %}
        source_system not in ('' {%- for source_system in known %}, '{{ source_system }}'{% endfor %})
    )
    {%- if known and sources is not none and sources | reject('in', known) | list == [] %}
        {#- by one bound, which an engine can hold against parts of a table -#}
        and load_id > {{ last_loads | map(attribute=1) | min }}
    {%- endif -%}
{%- endmacro %}
