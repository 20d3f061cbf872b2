{{ config(materialized='view') }}

with

{% for source_system in var('event_sources') %}
    {{ source_system }}_events as (

        select * from {{ ref('stg_' ~ source_system ~ '__events') }}

    ),

{% endfor %}
all_events as (

    {% for source_system in var('event_sources') %}
        select * from {{ source_system }}_events
        {% if not loop.last %} union all {% endif %}
    {% endfor %}

)

select
    *,
    {{ internal_key(['visitor_id']) }} as visitor_key

from all_events
