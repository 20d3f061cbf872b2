{% macro url_parameter(url, name) -%}
    {#- Value of one parameter in the query of an address; null when it is missing or empty. Most
        addresses have none, so the pattern is tried only where the name occurs. -#}
    {{ return(adapter.dispatch('url_parameter', 'intent_map')(url, name)) }}
{%- endmacro %}

{% macro duckdb__url_parameter(url, name) -%}
    case
        when contains({{ url }}, '{{ name }}=')
            then nullif(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '')
    end
{%- endmacro %}

{% macro url_text(part) -%}
    {#- A part of an address as people read it: + and %20 are blanks, %C3%BC is ü. As it stands where
        that comes to no text. -#}
    {{ return(adapter.dispatch('url_text', 'intent_map')(part)) }}
{%- endmacro %}

{% macro duckdb__url_text(part) -%}
    coalesce(try(url_decode(replace({{ part }}, '+', ' '))), {{ part }})
{%- endmacro %}

{% macro url_host(url) -%}
    {#- Host of an address in lower case, without a leading www.; null when there is none. -#}
    {{ return(adapter.dispatch('url_host', 'intent_map')(url)) }}
{%- endmacro %}

{% macro duckdb__url_host(url) -%}
    nullif(
        regexp_extract(
            lower({{ url }}), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www\.)?([^/?#:]+)', 1
        ),
        ''
    )
{%- endmacro %}

{% macro spark__url_parameter(url, name) -%}
    nullif(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '')
{%- endmacro %}

{% macro spark__url_text(part) -%}
    coalesce(try_url_decode({{ part }}), {{ part }})
{%- endmacro %}

{% macro spark__url_host(url) -%}
    nullif(
        regexp_extract(
            lower({{ url }}), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www[.])?([^/?#:]+)', 1
        ),
        ''
    )
{%- endmacro %}
