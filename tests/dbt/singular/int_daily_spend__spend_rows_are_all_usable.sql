-- One row comes back for each spend row that counts nowhere, or for another amount than it says: no
-- readable date or cost, a currency without a rate on that day, or more than anybody believes;
-- impressions or clicks that are no whole number, and count as 0, or negative; a date before var
-- project_start_date, or later than var future_tolerance_hours after the landing; a row that is
-- equal to an earlier one of its file, as those of two ad groups may be.
{{ config(severity='warn') }}

with

spend as (

    select
        *,
        cast(spend_date as timestamp) as occurred_at,
        row_number() over (
            partition by
                load_id, spend_date, source, medium, campaign, impressions, clicks, cost, currency
            order by row_number
        ) as copy_number

    from {{ ref('stg_ad_spend__days') }}

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
    spend.impressions,
    spend.clicks,
    spend.unreadable

from spend
left join currency_rates
    on
    spend.currency = currency_rates.currency
    and spend.spend_date >= currency_rates.valid_from
    and spend.spend_date < currency_rates.valid_to
where
    not coalesce({{ is_usable_spend('spend', 'currency_rates.rate') }}, false)
    or spend.copy_number > 1
    or spend.unreadable is not null
    or least(spend.impressions, spend.clicks) < 0
-- the night's log shows the first of them
order by spend.load_id desc, spend.row_number asc
