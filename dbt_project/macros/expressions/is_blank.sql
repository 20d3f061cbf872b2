{% macro is_blank(text) -%}
    {#- True when a text that is not empty has only blanks, tabs and line ends in it; asked of its first
        letter before all others, since nearly every text begins with one that is none of these. -#}
    ({{ text }} < '!' and not {{ matches_pattern(text, "'[^ \\t\\n\\r]'") }})
{%- endmacro %}
