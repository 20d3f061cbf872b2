{% macro attach_sources() -%}
    {#- Statements that make the tables of var attached_sources readable, each database read-only
        under the name attached_<source>. -#}
    {{ return(adapter.dispatch('attach_sources', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__attach_sources() -%}
    {%- for source, entry in var('attached_sources').items() -%}
        attach if not exists '{{ entry.database | replace("'", "''") }}'
        as attached_{{ source }} (read_only);
    {%- endfor -%}
{%- endmacro %}

{% macro spark__attach_sources() -%}
    {#- Another loader's tables stand in the metastore, as views in the schema raw. -#}
{%- endmacro %}
