{% macro public_user_key(user_key, visitor_id) -%}
    {#- Key of the person in the marts: the login's where one is known, else the visitor's. -#}
    coalesce({{ user_key }}, {{ public_key("'visitor:' || " ~ visitor_id) }})
{%- endmacro %}
