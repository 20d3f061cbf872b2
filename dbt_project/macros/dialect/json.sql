{% macro json_text(document, name) -%}
    {#- Text of one top-level member of a JSON object; `name` is an SQL expression. -#}
    {{ return(adapter.dispatch('json_text', 'intent_map')(document, name)) }}
{%- endmacro %}

{% macro duckdb__json_text(document, name) -%}
    json_extract_string({{ document }}, '$."' || {{ name }} || '"')
{%- endmacro %}

{% macro json_path_text(document, path) -%}
    {#- Text at a path such as $[0].id; null when nothing is there or the document is no JSON. `path`
        is an SQL expression. -#}
    {{ return(adapter.dispatch('json_path_text', 'intent_map')(document, path)) }}
{%- endmacro %}

{% macro duckdb__json_path_text(document, path) -%}
    try(json_extract_string({{ document }}, {{ path }}))
{%- endmacro %}

{% macro json_with_members(document, members) -%}
    {#- A JSON object with more members, name → SQL expression; null ones are left out, and an
        object without members is null. -#}
    {{ return(adapter.dispatch('json_with_members', 'intent_map')(document, members)) }}
{%- endmacro %}

{% macro duckdb__json_with_members(document, members) -%}
    nullif(
        cast(
            json_merge_patch(
                coalesce({{ document }}, '{}'),
                json_object(
                    {%- for name, expression in members.items() %}
                        '{{ name }}', {{ expression }} {%- if not loop.last %},{% endif %}
                    {%- endfor %}
                )
            ) as varchar
        ),
        '{}'
    )
{%- endmacro %}

{% macro json_number(number) -%}
    {#- The number, or null where JSON cannot write it (NaN and the infinities). -#}
    {{ return(adapter.dispatch('json_number', 'intent_map')(number)) }}
{%- endmacro %}

{% macro duckdb__json_number(number) -%}
    case when isfinite({{ number }}) then {{ number }} end
{%- endmacro %}

{% macro spark__json_text(document, name) -%}
    get_json_object({{ document }}, concat('$[\'', {{ name }}, '\']'))
{%- endmacro %}

{% macro spark__json_path_text(document, path) -%}
    get_json_object({{ document }}, {{ path }})
{%- endmacro %}

{% macro spark__json_with_members(document, members) -%}
    nullif(
        to_json(
            map_filter(
                map_concat(
                    map_filter(
                        from_json(coalesce({{ document }}, '{}'), 'map<string, variant>'),
                        (name, value) -> name not in ('{{ members | join("', '") }}')
                    ),
                    map(
                        {%- for name, expression in members.items() %}
                            '{{ name }}', cast({{ expression }} as variant)
                            {%- if not loop.last %},{% endif %}
                        {%- endfor %}
                    )
                ),
                (name, value) -> value is not null
            )
        ),
        '{}'
    )
{%- endmacro %}

{% macro spark__json_number(number) -%}
    case when abs({{ number }}) < double('infinity') then {{ number }} end
{%- endmacro %}
