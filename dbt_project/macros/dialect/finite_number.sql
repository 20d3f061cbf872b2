{% macro finite_number(text) -%}
    {#- The number that a text writes; null when it is none, such as 1_000, or NaN or infinite, which
        engines order differently. -#}
    {{ return(adapter.dispatch('finite_number', 'intent_map')(text)) }}
{%- endmacro %}

{% macro duckdb__finite_number(text) -%}
    case
        when not contains({{ text }}, '_') and isfinite(try_cast({{ text }} as double))
            then try_cast({{ text }} as double)
    end
{%- endmacro %}

{% macro spark__finite_number(text) -%}
    {#- Java reads 1d, 1f and 0x1p3 as numbers too. -#}
    case
        when
            regexp_like(
                {{ text }}, '^[ \\t]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \\t]*$'
            )
            and abs(try_cast({{ text }} as double)) < double('infinity')
            then try_cast({{ text }} as double)
    end
{%- endmacro %}
