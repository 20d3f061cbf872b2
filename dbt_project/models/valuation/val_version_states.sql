{{ config(
    tags=['quarterly'],
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    contract={'enforced': true},
    meta={'is_kept': true, 'notes_changes': true},
    pre_hook="{{ forget_unfinished_version() }}",
    post_hook="{{ note_sessions_of_version() }}"
) }}

-- last of the tables that a version consists of: without it the others are unfinished
-- depends_on: {{ ref('val_version_probabilities') }}, {{ ref('val_version_values') }}
-- depends_on: {{ ref('val_version_delays') }}, {{ ref('val_version_customers') }}
-- depends_on: {{ ref('int_all_sessions') }}
select
    {{ value_version() }} as value_version,
    {{ version_date() }} as valid_from,
    {{ restatement() }} as restatement,
    macro_conversion,
    intent_class,
    visitor_type,
    level,
    cast(state_key as bigint) as state_key,
    cast(passed as bigint) as passed,
    cast(ended as bigint) as ended,
    cast(passed_value as decimal(18, 4)) as passed_value,
    cast(ended_value as decimal(18, 4)) as ended_value

from {{ ref('val_state_values') }}
where {{ is_new_version() }}
