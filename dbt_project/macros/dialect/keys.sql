{% macro internal_key(columns) -%}
    {#- 63-bit hash of one or more columns for joins and sorts inside the warehouse. Fast, but only
        the same on one engine and version: never in a mart. -#}
    {{ return(adapter.dispatch('internal_key', 'intent_map')(columns)) }}
{%- endmacro %}

{% macro duckdb__internal_key(columns) -%}
    cast(hash({{ columns | join(', ') }}) >> 1 as bigint)
{%- endmacro %}

{% macro internal_key_of_day(moment, columns) -%}
    {#- Like internal_key, with the UTC day of a moment in the upper 13 bits and 50 bits of hash below: a
        table in the order of such keys lies in order of time, and a search for some of them reads only
        the parts of it from the first day to the last. Days are counted from 2014-11-10 and begin again
        after 22 years. -#}
    {{ return(adapter.dispatch('internal_key_of_day', 'intent_map')(moment, columns)) }}
{%- endmacro %}

{% macro duckdb__internal_key_of_day(moment, columns) -%}
    cast(
        ((epoch_us({{ moment }}) // 86400000000) & 8191) << 50
        | cast(hash({{ columns | join(', ') }}) >> 14 as bigint)
        as bigint
    )
{%- endmacro %}

{% macro public_key(text) -%}
    {#- 63-bit key of a text, the same on every engine and for ever: the last bits of its MD5. -#}
    {{ return(adapter.dispatch('public_key', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__public_key(text) -%}
    cast(md5_number({{ text }}) & cast(9223372036854775807 as uhugeint) as bigint)
{%- endmacro %}

{% macro state_item_key(name) -%}
    {#- 53-bit key of a micro- or macro-conversion's name: a state is the sum of its items' keys, so
        it does not depend on their order, on the dictionary's order or on the engine. -#}
    {{ return(adapter.dispatch('state_item_key', 'intent_map')(name)) }}
{%- endmacro %}

{% macro duckdb__state_item_key(name) -%}
    cast(md5_number({{ name }}) & cast(9007199254740991 as uhugeint) as bigint)
{%- endmacro %}

{% macro spark__internal_key(columns) -%}
    shiftrightunsigned({{ spark_hash(columns) }}, 1)
{%- endmacro %}

{% macro spark__internal_key_of_day(moment, columns) -%}
    (
        shiftleft((unix_micros({{ moment }}) div 86400000000) & 8191, 50)
        | shiftrightunsigned({{ spark_hash(columns) }}, 14)
    )
{%- endmacro %}

{% macro spark_hash(columns) -%}
    {#- The hash passes over nulls, so that their places are hashed too. -#}
    xxhash64(
        {%- for column in columns -%}
            {{ column }}, isnull({{ column }}) {%- if not loop.last %}, {% endif %}
        {%- endfor -%}
    )
{%- endmacro %}

{% macro spark__public_key(text) -%}
    {{ spark_md5_bits(text, '9223372036854775808') }}
{%- endmacro %}

{% macro spark__state_item_key(name) -%}
    {{ spark_md5_bits(name, '9007199254740992') }}
{%- endmacro %}

{% macro spark_md5_bits(text, limit) -%}
    {#- Of the first eight bytes of the MD5, which stand in it from the last to the first. -#}
    cast(
        cast(
            conv(
                regexp_replace(
                    left(md5({{ text }}), 16), '(..)(..)(..)(..)(..)(..)(..)(..)',
                    '$8$7$6$5$4$3$2$1'
                ),
                16, 10
            ) as decimal(20, 0)
        ) % {{ limit }} as bigint
    )
{%- endmacro %}
