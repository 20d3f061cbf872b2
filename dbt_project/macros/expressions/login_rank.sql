{% macro login_rank() -%}
    {#- 1 for the login that a visitor showed last: it holds for the visitor. Of two at the same
        moment and sequence the greater user id. -#}
    row_number() over (
        partition by visitor_key
        order by occurred_at desc, sequence desc, user_id desc
    )
{%- endmacro %}
