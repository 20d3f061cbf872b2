{% macro is_any_or_matches(text, pattern) -%}
    {#- True when a rule's pattern is empty (any) or found in the text, upper and lower case alike. -#}
    (coalesce({{ pattern }}, '') = '' or {{ matches_pattern('lower(' ~ text ~ ')', pattern) }})
{%- endmacro %}
