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

-- 19 digits: of two factors of up to 18 an engine may keep the product in 18, and with twelve of
-- them behind the point an amount of a million has no room
select
    currency,
    valid_from,
    valid_to,
    cast(rate as decimal(19, 8)) as rate

from rates_with_end

union all

select
    '{{ var("reporting_currency") }}' as currency,
    date '0001-01-01' as valid_from,
    date '9999-12-31' as valid_to,
    cast(1 as decimal(19, 8)) as rate
