{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- The schema is the floor's name, without a prefix: BI tools read `marts`. -#}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
