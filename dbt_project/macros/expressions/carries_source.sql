{% macro carries_source() -%}
    {#- True when an event of int_events says where the visit came from. GA4's session_start and
        first_visit only repeat what another event says. -#}
    (
        (
            source is not null
            or medium is not null
            or campaign is not null
            or gclid is not null
            or gbraid is not null
            or wbraid is not null
            or fbclid is not null
            or source_channel_group is not null
        )
        and source_event_name not in ('session_start', 'first_visit')
    )
{%- endmacro %}
