{% macro real_order_id(order_id) -%}
    {#- The order number, or null where the source wrote a placeholder, which several orders share. -#}
    case
        when not {{ is_one_of('lower(trim(' ~ order_id ~ '))', placeholders()) }} then {{ order_id }}
    end
{%- endmacro %}
