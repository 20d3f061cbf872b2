{% macro no_json(text) -%}
    {#- The text where it is no JSON, as one that a loader cut off; else null. -#}
    case when {{ json_path_text(text, "'$'") }} is null then {{ text }} end
{%- endmacro %}
