{% test is_unique_together(model, columns) %}
    {#- Fails with every combination of the columns that stands more than once. -#}
select {{ columns | join(', ') }}, count(*) as copies
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
