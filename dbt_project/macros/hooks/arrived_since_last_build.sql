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
        {{ is_of_later_load(seen) }}
        {#- what has been judged is of known sources; by one bound older rows need not be read -#}
        {%- if of_model != 'int_event_receipts' and seen
            and received | reject('in', seen | map(attribute=0) | list) | list == [] %}
            and load_id > {{ seen | map(attribute=1) | min }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

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
