{% macro carries_source(event) -%}
    {#- True when an accepted event of int_event_receipts says where the visit came from. GA4's
        session_start and first_visit only repeat what another event says, unless they have what
        the export says of the whole session, with its channel group. -#}
    (
        (
            {{ event }}.source is not null
            or {{ event }}.medium is not null
            or {{ event }}.campaign is not null
            or {{ event }}.has_google_click
            or {{ event }}.has_meta_click
            or {{ event }}.source_channel_group is not null
        )
        and (
            {{ event }}.source_event_name not in ('session_start', 'first_visit')
            or {{ event }}.source_channel_group is not null
        )
    )
{%- endmacro %}
