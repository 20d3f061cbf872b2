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
    -- as sessions are named: what says that nothing is known is nothing, and (direct) is a source
    case
        when lower(trim(source)) = '(direct)' then '(direct)'
        else coalesce({{ known_text('source') }}, '(not set)')
    end as source,
    coalesce(
        {{ known_text('medium') }},
        case when lower(trim(source)) = '(direct)' then '(none)' end,
        '(not set)'
    ) as medium,
    coalesce({{ known_text('campaign') }}, '(not set)') as campaign,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cost,
    coalesce({{ stated_currency('currency') }}, '{{ var("reporting_currency") }}') as currency,
    unreadable

from spend
