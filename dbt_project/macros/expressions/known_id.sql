{% macro known_id(text) -%}
    {#- The id, or null where it is what sources write when there is none: one such word would make
        a single person of all who carry it. -#}
    case
        when lower(trim({{ text }})) not in (
            '', '0', '(not set)', 'null', 'nil', 'none', 'nan', 'n/a', 'undefined', 'unknown',
            'anonymous', 'guest', '00000000-0000-0000-0000-000000000000'
        ) then {{ text }}
    end
{%- endmacro %}
