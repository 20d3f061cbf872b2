{% macro grew_apart(trials, trials_before, events, events_before) -%}
    {#- True when the trials of a later time grew by more than their events did, beyond chance: the
        logarithm of the ratio of both growths against its standard error, var trap_sigmas. Counts;
        half an event more on both sides, so that none has a logarithm (Haldane 1956). Null without
        trials. -#}
    (
        ln(1.0 * nullif({{ trials }}, 0) / nullif({{ trials_before }}, 0))
        - ln(({{ events }} + 0.5) / ({{ events_before }} + 0.5))
        > {{ var('trap_sigmas') }} * sqrt(
            1.0 / nullif({{ trials }}, 0) + 1.0 / nullif({{ trials_before }}, 0)
            + 1.0 / ({{ events }} + 0.5) + 1.0 / ({{ events_before }} + 0.5)
        )
    )
{%- endmacro %}
