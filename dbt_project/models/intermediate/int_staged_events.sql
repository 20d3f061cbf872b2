{{ config(materialized='view') }}

{% for source_system in var('event_sources') %}
    select * from {{ ref('stg_' ~ source_system ~ '__events') }}
    {% if not loop.last %} union all {% endif %}
{% endfor %}
