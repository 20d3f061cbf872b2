{{ config(materialized='view') }}

with

version_states as (

    select * from {{ ref('val_version_states') }}

),

versions as (

    -- distinct: one row for each version out of its many states
    select distinct
        value_version,
        valid_from

    from version_states

    union all

    select
        '(prior)' as value_version,
        date '0001-01-01' as valid_from

)

select
    value_version,
    valid_from,
    lead(valid_from, 1, date '9999-12-31') over (order by valid_from) as valid_to

from versions
