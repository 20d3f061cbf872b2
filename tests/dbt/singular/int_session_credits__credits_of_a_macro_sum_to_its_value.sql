-- One row comes back for each macro-conversion whose credits are not its value to the last digit.
with

credits as (

    select * from {{ ref('int_session_credits') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

credit_totals as (

    select
        event_key,
        macro_conversion,
        sum(credit) as credit

    from credits
    group by event_key, macro_conversion

)

select
    macro_conversions.event_key,
    macro_conversions.value,
    credit_totals.credit

from macro_conversions
left join credit_totals
    on
    macro_conversions.event_key = credit_totals.event_key
    and macro_conversions.macro_conversion = credit_totals.macro_conversion
where macro_conversions.value <> coalesce(credit_totals.credit, -1)
