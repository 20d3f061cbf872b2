{% macro campaign_key(event) -%}
    {#- Key of the traffic source that an event of int_staged_events says its visit came from; null
        when it says none. -#}
    case
        when {{ carries_source(event) }} then {{ internal_key([
            known_text(event ~ '.source'), known_text(event ~ '.medium'),
            known_text(event ~ '.campaign'), has_google_click(event), has_meta_click(event)
        ]) }}
    end
{%- endmacro %}
