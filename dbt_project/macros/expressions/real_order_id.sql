{% macro real_order_id(order_id) -%}
    {#- The order number without the blanks with which a database pads it, or null where the source
        wrote a placeholder, which several orders share. -#}
    case
        when not {{ is_one_of('lower(trim(' ~ order_id ~ '))', placeholders()) }}
            then trim({{ order_id }})
    end
{%- endmacro %}
