{% macro session_source(source, medium, has_google_click, has_meta_click) -%}
    {#- Source of a session: a click id repairs a missing or organic one. -#}
    case
        when {{ has_google_click }} and ({{ source }} is null or lower({{ medium }}) = 'organic')
            then 'google'
        when {{ has_meta_click }} and {{ source }} is null then 'facebook'
        else {{ source }}
    end
{%- endmacro %}
