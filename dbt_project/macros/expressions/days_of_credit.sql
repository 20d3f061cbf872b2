{% macro days_of_credit() -%}
    {#- Whole days by which a conversion that is credited reaches back: its look-back, the visit in which
        it happens, and a day for the time zone. -#}
    {{ return(
        var('attribution_look_back_days') | int
        + longest_session_days() + 1
    ) }}
{%- endmacro %}
