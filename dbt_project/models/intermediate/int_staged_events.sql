{{ config(materialized='view') }}

with

{% for source_system in var('event_sources') %}
    {{ source_system }}_events as (

        select * from {{ ref('stg_' ~ source_system ~ '__events') }}

    ),

{% endfor %}
event_dictionary as (

    select * from {{ ref('event_dictionary') }}

),

all_events as (

    {% for source_system in var('event_sources') %}
        select * from {{ source_system }}_events
        {% if not loop.last %} union all {% endif %}
    {% endfor %}

)

-- a source's own alias goes before one that holds for any source
select
    all_events.*,
    {{ internal_key(['all_events.source_system', 'all_events.event_id']) }} as event_key,
    {{ internal_key(['all_events.visitor_id']) }} as visitor_key,
    coalesce(
        named.event_name, named_anywhere.event_name, all_events.source_event_name
    ) as event_name,
    coalesce(named.event_name, named_anywhere.event_name) is not null as is_known_name

from all_events
left join event_dictionary as named
    on all_events.source_system = named.source_system
    and all_events.source_event_name = named.source_event_name
left join event_dictionary as named_anywhere
    on named_anywhere.source_system = 'any'
    and all_events.source_event_name = named_anywhere.source_event_name
