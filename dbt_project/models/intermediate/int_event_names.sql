{{ config(materialized='table') }}

with

event_dictionary as (

    select * from {{ ref('event_dictionary') }}

),

own_names as (

    select
        source_system,
        source_event_name,
        event_name

    from event_dictionary
    where source_system <> 'any'

),

names_of_any_source as (

    {% for source_system in var('event_sources') %}
        select
            '{{ source_system }}' as source_system,
            source_event_name,
            event_name

        from event_dictionary
        where source_system = 'any'
        {% if not loop.last %} union all {% endif %}
    {% endfor %}

)

select
    source_system,
    source_event_name,
    event_name

from own_names

union all

-- a source's own alias goes before one that holds for any source
select
    names_of_any_source.source_system,
    names_of_any_source.source_event_name,
    names_of_any_source.event_name

from names_of_any_source
left join own_names
    on names_of_any_source.source_system = own_names.source_system
    and names_of_any_source.source_event_name = own_names.source_event_name
where own_names.source_event_name is null
