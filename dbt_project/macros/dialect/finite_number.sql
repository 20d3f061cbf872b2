{% macro finite_number(text) -%}
    {#- The number that a text writes; null when it is none, or NaN or infinite, which engines
        order differently. -#}
    {{ return(adapter.dispatch('finite_number', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__finite_number(text) -%}
    case
        when isfinite(try_cast({{ text }} as double)) then try_cast({{ text }} as double)
    end
{%- endmacro %}
