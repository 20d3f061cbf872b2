{% macro bit_number(place) -%}
    {#- The number whose only bit is the one at that place, from 1 to 62. -#}
    {{ return(adapter.dispatch('bit_number', 'intent_map')(place)) }}
{%- endmacro %}

{% macro duckdb__bit_number(place) -%}
    cast(1 as bigint) << cast({{ place }} - 1 as integer)
{%- endmacro %}

{% macro has_bit(bits, bit) -%}
    {#- True when the bit of a number made by bit_number is among the bits, a sum of such numbers. -#}
    {{ return(adapter.dispatch('has_bit', 'intent_map')(bits, bit)) }}
{%- endmacro %}

{% macro default__has_bit(bits, bit) -%}
    ({{ bits }} & {{ bit }}) <> 0
{%- endmacro %}

{% macro spark__bit_number(place) -%}
    shiftleft(cast(1 as bigint), cast({{ place }} - 1 as integer))
{%- endmacro %}
