{{ config(
    tags=['quarterly'],
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    contract={'enforced': true},
    meta={'is_kept': true}
) }}

-- depends_on: {{ ref('val_version_delays') }}, {{ ref('val_version_customers') }}
with

version_probabilities as (

    select * from {{ ref('val_version_probabilities') }}
    where {{ is_this_writing() }}

),

version_values as (

    select * from {{ ref('val_version_values') }}
    where {{ is_this_writing() }}

),

version_states as (

    select * from {{ ref('val_version_states') }}
    where {{ is_this_writing() }}

),

-- noted when all that it consists of is there; intersect: one row
written as (

    select
        value_version,
        valid_from

    from version_probabilities

    intersect

    select
        value_version,
        valid_from

    from version_values

    intersect

    select
        value_version,
        valid_from

    from version_states

)

select
    value_version,
    valid_from,
    {{ restatement() }} as restatement,
    {{ run_moment() }} as known_from,
    {{ as_text(var('restatement_reason')) }} as reason

from written
where {{ is_new_version() }}
