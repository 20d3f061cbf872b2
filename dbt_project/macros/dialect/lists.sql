{% macro joined_texts(text) -%}
    {#- Aggregate: the texts one after the other with a bar between, in their own order. -#}
    {{ return(adapter.dispatch('joined_texts', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__joined_texts(text) -%}
    string_agg({{ text }}, '|' order by {{ text }})
{%- endmacro %}

{% macro is_true_for_any(joined, condition) -%}
    {#- True when the condition, an expression of `each_text`, holds for any of the joined texts;
        false when there are none. -#}
    {{ return(adapter.dispatch('is_true_for_any', 'intent_map')(joined, condition)) }}
{%- endmacro %}

{% macro duckdb__is_true_for_any(joined, condition) -%}
    coalesce(
        len(list_filter(string_split({{ joined }}, '|'), lambda each_text: {{ condition }})) > 0,
        false
    )
{%- endmacro %}
