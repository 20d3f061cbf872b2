{% macro click_id(given, name, url) -%}
    {#- Click id of an ad network: as the source gives it, else as the page's address carries it. -#}
    coalesce({{ given }}, {{ url_parameter(url, name) }})
{%- endmacro %}
