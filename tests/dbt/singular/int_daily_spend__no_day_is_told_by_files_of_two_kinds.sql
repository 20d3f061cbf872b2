-- One row comes back for each day of a campaign whose cost from one file gave way to another cost
-- from a file of another name, digits and separators aside, where both came in the last
-- var health_history_days: two networks, or two accounts of one, that name a campaign alike, of
-- which one is missing in the marts. A new export of the same kind is not meant.
{{ config(severity='warn') }}

with

staged_spend as (

    select
        *,
        cast(spend_date as timestamp) as occurred_at,
        -- google_2026-03-01.csv and google_2026-03-02 (1).csv are of one kind
        translate(lower(file_name), '0123456789-_. ()', '') as kind_of_file

    from {{ ref('stg_ad_spend__days') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

-- what counts nowhere gives way to nothing, and another test lists it
spend as (

    select staged_spend.*

    from staged_spend
    inner join currency_rates
        on staged_spend.currency = currency_rates.currency
        and staged_spend.spend_date >= currency_rates.valid_from
        and staged_spend.spend_date < currency_rates.valid_to
    where {{ is_usable_spend('staged_spend', 'currency_rates.rate') }}

),

days_in_files as (

    select
        spend_date,
        source,
        medium,
        campaign,
        load_id,
        kind_of_file,
        max(file_name) as file_name,
        max(landed_at) as landed_at,
        sum(cost) as cost

    from spend
    group by spend_date, source, medium, campaign, load_id, kind_of_file

),

days_ranked as (

    select
        *,
        row_number() over (
            partition by spend_date, source, medium, campaign order by load_id desc
        ) as load_age,
        row_number() over (
            partition by spend_date, source, medium, campaign, kind_of_file order by load_id desc
        ) as age_in_kind,
        max(landed_at) over () as last_landed_at

    from days_in_files

),

recent as (

    select * from days_ranked
    where landed_at >= {{ dbt.dateadd(
        'day', '-' ~ var('health_history_days'), 'last_landed_at'
    ) }}

)

select
    replaced.campaign,
    replaced.source,
    replaced.medium,
    replaced.spend_date,
    replaced.file_name as file_that_gave_way,
    replaced.cost as cost_that_gave_way,
    counting.file_name as file_that_counts,
    counting.cost as cost_that_counts

from recent as counting
inner join recent as replaced
    on
    counting.spend_date = replaced.spend_date
    and counting.source = replaced.source
    and counting.medium = replaced.medium
    and counting.campaign = replaced.campaign
where
    counting.load_age = 1
    and replaced.age_in_kind = 1
    and counting.kind_of_file <> replaced.kind_of_file
    and counting.cost <> replaced.cost
-- the night's log shows the first of them
order by
    replaced.spend_date desc,
    replaced.campaign asc,
    replaced.source asc,
    replaced.medium asc,
    replaced.file_name asc
