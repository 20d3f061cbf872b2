with

refunds as (

    select * from {{ ref('int_refunds') }}
    where value > 0

),

session_credits as (

    select * from {{ ref('int_session_credits') }}

),

shares as (

    select
        refunds.macro_conversion,
        refunds.refund_key,
        refunds.refund_date,
        refunds.value,
        session_credits.session_key,
        cast(
            {{ rounded('cast(refunds.value as double) * session_credits.share', 4) }}
            as decimal(18, 4)
        ) as rounded_credit,
        row_number() over (
            partition by refunds.macro_conversion, refunds.refund_key
            order by session_credits.share desc, session_credits.session_key asc
        ) as place

    from refunds
    inner join session_credits
        on refunds.event_key = session_credits.event_key
        and refunds.macro_conversion = session_credits.macro_conversion

),

refunds_shared as (

    select
        *,
        sum(rounded_credit) over (
            partition by macro_conversion, refund_key
        ) as rounded_total

    from shares

)

-- the largest share takes what rounding leaves, so the parts of a refund sum to it
select
    session_key,
    macro_conversion,
    refund_key,
    refund_date,
    cast(
        case
            when place = 1 then value - (rounded_total - rounded_credit)
            else rounded_credit
        end as decimal(18, 4)
    ) as credit

from refunds_shared
