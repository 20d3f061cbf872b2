{% macro known_id(text) -%}
    {#- The id, or null where it is what sources write when there is none: one such word would make
        a single person of all who carry it. -#}
    case
        when lower(trim({{ text }})) not in ({{ nobodys_ids() }}) then {{ text }}
    end
{%- endmacro %}
