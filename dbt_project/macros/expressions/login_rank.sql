{% macro login_rank() -%}
    {#- 1 for the login that a visitor showed last in event order: it holds for the visitor. -#}
    row_number() over (
        partition by visitor_key
        order by occurred_at desc, sequence desc, event_id desc
    )
{%- endmacro %}
