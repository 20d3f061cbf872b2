{{ config(materialized='view') }}

with

rates as (

    select * from {{ ref('currency_rates') }}

),

rates_with_end as (

    select
        upper(currency) as currency,
        date as valid_from,
        lead(date, 1, date '9999-12-31') over (
            partition by upper(currency) order by date
        ) as valid_to,
        rate

    from rates
    where upper(currency) <> '{{ var("reporting_currency") }}'

)

select
    currency,
    valid_from,
    valid_to,
    rate

from rates_with_end

union all

select
    '{{ var("reporting_currency") }}' as currency,
    date '0001-01-01' as valid_from,
    date '9999-12-31' as valid_to,
    cast(1 as decimal(18, 8)) as rate
