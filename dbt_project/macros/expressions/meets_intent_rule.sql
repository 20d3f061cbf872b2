{% macro meets_intent_rule(visit, rule) -%}
    {#- True when a rule of the intent_rules seed fits source, medium and campaign of a row. -#}
    (
        {{ is_any_or_matches(visit ~ '.source', rule ~ '.source_pattern') }}
        and {{ is_any_or_matches(visit ~ '.medium', rule ~ '.medium_pattern') }}
        and {{ is_any_or_matches(visit ~ '.campaign', rule ~ '.campaign_pattern') }}
    )
{%- endmacro %}
