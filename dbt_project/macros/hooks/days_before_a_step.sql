{% macro days_before_a_step() -%}
    {#- Whole days by which the entry into a funnel may lie before a step that follows it: the longest
        window of the starter pack, and the visit in which it is entered. 0 when a model is built from
        nothing, which asks no night's question. -#}
    {%- if not is_incremental() -%}{{ return(0) }}{%- endif -%}
    {%- set longest = run_query(
        "select max(window_hours) from " ~ ref('funnels')
        ~ " where starter_pack = '" ~ var('starter_pack') ~ "'"
    ).rows[0][0] or 0 -%}
    {{ return(1 + ((longest + var('session_maximum_hours') | int) / 24) | round(0, 'ceil') | int) }}
{%- endmacro %}
