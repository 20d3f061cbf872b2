{% macro is_new_version() -%}
    {#- True when a version is made and this table does not hold that writing of it yet: what was
        published is never written again. -#}
    (
        {{ value_version() }} is not null
        and {{ value_version() }} not in (
            select value_version from {{ this }}
            where coalesce(restatement, 0) = {{ restatement() }}
        )
    )
{%- endmacro %}
