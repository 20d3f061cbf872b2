{% macro known_text(text) -%}
    {#- The text, or null where it is one of the ways in which sources write "unknown". -#}
    case
        when lower(trim({{ text }})) not in (
            '', '(not set)', '<other>', '(data deleted)', '(direct)', '(none)', 'null'
        ) then trim({{ text }})
    end
{%- endmacro %}
