{% macro is_before_project_start(event) -%}
    {#- True when the row `event` says a time before var project_start_date. -#}
    {{ event }}.occurred_at < timestamp '{{ var("project_start_date") }}'
{%- endmacro %}
