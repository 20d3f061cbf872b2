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

-- a version whose writing was cut short is not in force; intersect: one row for each version
whole_versions as (

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

),

versions as (

    select
        value_version,
        valid_from

    from whole_versions

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
