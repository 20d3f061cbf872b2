-- One row comes back for each spend row that counts nowhere: no readable date or cost, a currency
-- without a rate on that day, or more than anybody believes.
{{ config(severity='warn') }}

with

spend as (

    select * from {{ ref('stg_ad_spend__days') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

)

select
    spend.file_name,
    spend.row_number,
    spend.spend_date,
    spend.cost,
    spend.currency,
    spend.unreadable

from spend
left join currency_rates
    on
    spend.currency = currency_rates.currency
    and spend.spend_date >= currency_rates.valid_from
    and spend.spend_date < currency_rates.valid_to
where
    spend.spend_date is null
    or spend.cost is null
    or currency_rates.rate is null
    or not {{ is_believable_amount('spend.cost', 'currency_rates.rate') }}
    or greatest(spend.impressions, spend.clicks) > {{ var('largest_amount') }}
