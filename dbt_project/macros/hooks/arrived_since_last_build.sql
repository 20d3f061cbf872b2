{% macro arrived_since_last_build(model=none) -%}
    {#- True for rows (source_system, load_id) of loads that this model has not seen, by its own
        watermarks or those of the model named; always true when it is built from nothing. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {{ is_of_later_load(run_query(
            "select source_system, load_id from " ~ source('raw', 'watermarks')
            ~ " where model = '" ~ (model or this.identifier) ~ "'").rows) }}
    {%- endif -%}
{%- endmacro %}
