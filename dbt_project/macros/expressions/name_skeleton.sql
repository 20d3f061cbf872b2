{% macro name_skeleton(name) -%}
    {#- An event name without what spelling adds: Add To Cart, addToCart, add-to-cart and
        add_to_cart have one skeleton. -#}
    replace(replace(replace(replace(lower({{ name }}), ' ', ''), '_', ''), '-', ''), '.', '')
{%- endmacro %}
