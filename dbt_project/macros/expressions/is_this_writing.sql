{% macro is_this_writing() -%}
    {#- True for rows of a kept table that belong to the version and restatement being made. -#}
    (value_version = {{ value_version() }} and coalesce(restatement, 0) = {{ restatement() }})
{%- endmacro %}
