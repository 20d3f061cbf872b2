{% macro is_engaged(started_at, ended_at, page_views, macro_conversions) -%}
    {#- True when a session lasted longer than 10 seconds, had two views of pages or screens, or a
        macro-conversion (Google Analytics' definition of an engaged session). -#}
    (
        {{ seconds_between(started_at, ended_at) }} > 10
        or {{ page_views }} >= 2
        or coalesce({{ macro_conversions }}, 0) > 0
    )
{%- endmacro %}
