{% macro is_new_version() -%}
    {#- True when a version is made and this table does not hold it yet: a published version is never
        written again. -#}
    (
        {{ value_version() }} is not null
        and {{ value_version() }} not in (select value_version from {{ this }})
    )
{%- endmacro %}
