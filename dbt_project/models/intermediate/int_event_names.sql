with

event_dictionary as (

    select * from {{ ref('event_dictionary') }}

),

names_of_sources as (

    {% for source_system in var('event_sources') %}
        select
            '{{ source_system }}' as source_system,
            event_dictionary.source_event_name,
            event_dictionary.event_name,
            event_dictionary.source_system <> 'any' as is_its_own

        from event_dictionary
        where event_dictionary.source_system in ('{{ source_system }}', 'any')
        {% if not loop.last %} union all {% endif %}
    {% endfor %}

)

-- a source's own alias goes before one that holds for any source
select
    source_system,
    source_event_name,
    coalesce(max(case when is_its_own then event_name end), max(event_name)) as event_name

from names_of_sources
group by source_system, source_event_name
