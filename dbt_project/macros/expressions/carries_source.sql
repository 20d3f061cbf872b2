{% macro carries_source(event) -%}
    {#- True when an event of int_staged_events says where the visit came from. GA4's
        session_start and first_visit only repeat what another event says, unless they have what
        the export says of the whole session, with its channel group. The group Direct says that
        there was none. -#}
    (
        (
            {{ known_text(event ~ '.source') }} is not null
            or {{ known_text(event ~ '.medium') }} is not null
            or {{ known_text(event ~ '.campaign') }} is not null
            or {{ has_google_click(event) }}
            or {{ has_meta_click(event) }}
            or coalesce(lower({{ event }}.source_channel_group), 'direct') <> 'direct'
        )
        and (
            {{ event }}.source_event_name not in ('session_start', 'first_visit')
            or {{ event }}.source_channel_group is not null
        )
    )
{%- endmacro %}
