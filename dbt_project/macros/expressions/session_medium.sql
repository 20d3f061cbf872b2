{% macro session_medium(source, medium, has_google_click, has_meta_click) -%}
    {#- Medium of a session: a Google click id means a paid click; a Meta click id also comes with
        unpaid links, so it only repairs a missing source. -#}
    case
        when {{ has_google_click }} and ({{ source }} is null or lower({{ medium }}) = 'organic')
            then 'cpc'
        when {{ has_meta_click }} and {{ source }} is null then 'social'
        else {{ medium }}
    end
{%- endmacro %}
