{% macro snake_case(text) -%}
    {#- A name as a table name: lower case, all that is no letter or digit as one underscore. -#}
    {{ return(adapter.dispatch('snake_case', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__snake_case(text) -%}
    nullif(trim(regexp_replace(lower({{ text }}), '[^\p{L}\p{N}]+', '_', 'g'), '_'), '')
{%- endmacro %}

{% macro is_one_of(text, texts) -%}
    {#- True when the text is one of several, each an SQL literal: `texts in (...)`, for lists of half a
        dozen and more that all events are asked. Null where the text is null. -#}
    {{ return(adapter.dispatch('is_one_of', 'intent_map')(text, texts)) }}
{%- endmacro %}

{% macro duckdb__is_one_of(text, texts) -%}
    {#- A long `in` becomes a join of all rows, also where nobody reads the result. A function is
        asked once for each entry of a dictionary. The separator stands in no text of a source. -#}
    contains(concat_ws(chr(31), '', {{ texts }}, ''), chr(31) || {{ text }} || chr(31))
{%- endmacro %}

{% macro spark__snake_case(text) -%}
    nullif(
        trim(both '_' from regexp_replace(lower({{ text }}), '[^\\p{L}\\p{N}]+', '_')), ''
    )
{%- endmacro %}

{% macro spark__is_one_of(text, texts) -%}
    ({{ text }} in ({{ texts }}))
{%- endmacro %}
