{% macro unreadable_as(names) -%}
    {#- Column `unreadable` with the source's column names exchanged for the canonical ones. A quote
        inside one of its texts has a backslash before it, so only names are exchanged. -#}
    {%- set said = namespace(sql='unreadable') -%}
    {%- for name, canonical in names.items() -%}
        {%- set said.sql = "replace(" ~ said.sql ~ ", '\"" ~ name ~ "\":', '\"" ~ canonical ~ "\":')" -%}
    {%- endfor -%}
    {{ said.sql }}
{%- endmacro %}
