{% macro not_landed_before(query) -%}
    {#- True for rows of loads (load_id) that brought an accepted event at or after the moment that the
        query gives, and of later ones; always true when the model is built from nothing. Rows that
        are refused may say any time, so that a file of raw rows cannot be left out by its times. -#}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set first_load = run_query(
            "select min(load_id) from " ~ ref('int_event_receipts')
            ~ " where outcome = 'accepted' and " ~ not_before('occurred_at', query)
        ).rows[0][0] -%}
        {{ 'load_id >= ' ~ first_load if first_load is not none else 'false' }}
    {%- endif -%}
{%- endmacro %}
