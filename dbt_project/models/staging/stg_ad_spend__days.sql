with

spend as (

    select * from {{ source('raw', 'ad_spend') }}

)

select
    load_id,
    row_number,
    file_name,
    landed_at,
    date as spend_date,
    coalesce(nullif(trim(source), ''), '(not set)') as source,
    coalesce(nullif(trim(medium), ''), '(not set)') as medium,
    coalesce(nullif(trim(campaign), ''), '(not set)') as campaign,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cost,
    coalesce({{ currency_code('currency') }}, '{{ var("reporting_currency") }}') as currency,
    unreadable

from spend
