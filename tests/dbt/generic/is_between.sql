{% test is_between(model, column_name, min_value, max_value) %}
    {#- Fails with every value outside the closed range; null passes. -#}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} < {{ min_value }} or {{ column_name }} > {{ max_value }}
{% endtest %}
