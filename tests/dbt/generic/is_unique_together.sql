{% test is_unique_together(model, columns) %}
    {#- Fails with every combination of the columns that stands more than once; after a night, of
        those only that stand in a row that it wrote. -#}
    {{ copies_among_all(model, columns) }}
{% endtest %}
