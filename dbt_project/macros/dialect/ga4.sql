{% macro ga4_text(key) -%}
    {#- Value of one GA4 event parameter as text, whichever of its types carries it; null when the
        key is missing or all its values are. -#}
    {{ return(adapter.dispatch('ga4_text', 'intent_map')(key)) }}
{%- endmacro %}

{% macro duckdb__ga4_text(key) -%}
    list_extract(
        list_transform(
            list_filter(event_params, lambda param: param.key = '{{ key }}'),
            lambda param: coalesce(
                param.value.string_value,
                cast(param.value.int_value as varchar),
                cast(param.value.double_value as varchar),
                cast(param.value.float_value as varchar)
            )
        ),
        1
    )
{%- endmacro %}

{% macro ga4_properties() -%}
    {#- The event's parameters as a JSON object; numbers stay numbers; nulls, and numbers that JSON
        cannot write (NaN), are left out. -#}
    {{ return(adapter.dispatch('ga4_properties', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__ga4_properties() -%}
    '{' || array_to_string(
        list_transform(
            list_filter(
                event_params,
                lambda param: coalesce(
                    param.value.string_value,
                    cast(param.value.int_value as varchar),
                    cast(param.value.double_value as varchar),
                    cast(param.value.float_value as varchar)
                ) is not null
            ),
            lambda param: cast(to_json(param.key) as varchar) || ':' || coalesce(
                cast(to_json(param.value.string_value) as varchar),
                cast(param.value.int_value as varchar),
                case
                    when isfinite(param.value.double_value)
                        then cast(param.value.double_value as varchar)
                end,
                case
                    when isfinite(param.value.float_value)
                        then cast(param.value.float_value as varchar)
                end
            )
        ),
        ','
    ) || '}'
{%- endmacro %}

{% macro ga4_sorted_params() -%}
    {#- The parameters as one text that does not depend on their order. -#}
    {{ return(adapter.dispatch('ga4_sorted_params', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__ga4_sorted_params() -%}
    cast(list_sort(event_params) as varchar)
{%- endmacro %}
