{% macro known_id(text) -%}
    {#- The id, or null where it is what sources write when there is none: one such word would make
        a single person of all who carry it. All of these but the zeros have at most 16 letters, so
        that a longer text, as most ids are, is not looked into; blanks with which a database pads
        it make a word no longer. Tabs alone are no id either. -#}
    case
        when
            length({{ text }}) > 16
            and {{ text }} <> '00000000-0000-0000-0000-000000000000'
            and {{ text }} >= '!'
            and {{ text }} not like '% '
            then {{ text }}
        when {{ is_blank(text) }} then null
        when not {{ is_one_of('lower(trim(' ~ text ~ '))', nobodys_ids()) }} then {{ text }}
    end
{%- endmacro %}
