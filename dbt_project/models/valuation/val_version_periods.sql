{{ config(materialized='view') }}

with

version_probabilities as (

    select * from {{ ref('val_version_probabilities') }}

),

version_values as (

    select * from {{ ref('val_version_values') }}

),

version_states as (

    select * from {{ ref('val_version_states') }}

),

-- a version whose writing was cut short is not in force; intersect: one row for each writing
whole_versions as (

    select
        value_version,
        valid_from,
        coalesce(restatement, 0) as restatement

    from version_probabilities

    intersect

    select
        value_version,
        valid_from,
        coalesce(restatement, 0) as restatement

    from version_values

    intersect

    select
        value_version,
        valid_from,
        coalesce(restatement, 0) as restatement

    from version_states

),

-- of a restated version the newest writing is in force
versions as (

    select
        value_version,
        valid_from,
        max(restatement) as restatement

    from whole_versions
    group by value_version, valid_from

    union all

    select
        '(prior)' as value_version,
        date '0001-01-01' as valid_from,
        0 as restatement

)

select
    value_version,
    valid_from,
    lead(valid_from, 1, date '9999-12-31') over (order by valid_from) as valid_to,
    cast(restatement as integer) as restatement

from versions
