{% macro matches_pattern(text, pattern) -%}
    {#- True when the regular expression is found anywhere in the text; null when either is null.
        Patterns keep to the common ground of engines: no look-around, no back-references. -#}
    {{ return(adapter.dispatch('matches_pattern', 'intent_map')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches_pattern(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}

{% macro spark__matches_pattern(text, pattern) -%}
    regexp_like({{ text }}, {{ pattern }})
{%- endmacro %}
