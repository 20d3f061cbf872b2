{% macro forget_unfinished_version() %}
    {#- Pre-hook of the kept tables: what a killed run wrote of this version is taken back, so that
        one version is not made of two runs. It was never in force: one of the tables that say so
        (val_version_periods) lacks it. val_version_states is written last, so that it is missing
        until all others have been cleared. -#}
    {%- if var('version_date') -%}
        {%- set is_unfinished -%}
            {{ is_this_writing() }}
            and not (
                {%- for table in ('probabilities', 'values', 'states') %}
                exists (
                    select 1 from {{ kept_table('val_version_' ~ table) }}
                    where {{ is_this_writing() }}
                )
                {%- if not loop.last %} and{% endif %}
                {%- endfor %}
            )
        {%- endset -%}
        {{ one_after_another([deletion(this, is_unfinished)]) }}
    {%- endif -%}
{% endmacro %}
