{% macro sessions_may_begin_together() -%}
    {#- True where two sessions of one visitor can begin at one moment: parts of a visit cut at
        campaigns do, and sessions of a source's own may. -#}
    {{ return(var('session_cut_at_campaign') or var('session_id_source') == 'source') }}
{%- endmacro %}
