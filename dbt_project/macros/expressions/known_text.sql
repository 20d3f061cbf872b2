{% macro known_text(text) -%}
    {#- The text, or null where it is one of the ways in which sources write "unknown". -#}
    case
        when
            not {{ is_one_of(
                'lower(trim(' ~ text ~ '))',
                "'', '(not set)', '<other>', '(data deleted)', '(direct)', '(none)', 'null'"
            ) }}
            then trim({{ text }})
    end
{%- endmacro %}
