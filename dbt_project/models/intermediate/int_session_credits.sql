{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['session_key', 'event_key', 'macro_conversion'],
    meta={'notes_changes': true, 'speaks_of': ['session_key']}
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

buyers as (

    -- distinct: a user is looked up once
    select distinct user_key from macro_conversions

),

-- of many visitors few come to a goal; one without a login is a user of that key
visitors_of_buyers as (

    select
        identities.visitor_key,
        identities.user_key

    from identities
    inner join buyers on identities.user_key = buyers.user_key

    union all

    select
        buyers.user_key as visitor_key,
        buyers.user_key

    from buyers
    left join identities on buyers.user_key = identities.visitor_key
    where identities.visitor_key is null

),

sessions_of_buyers as (

    select
        sessions.session_key,
        sessions.started_at,
        visitors_of_buyers.user_key

    from sessions
    inner join visitors_of_buyers on sessions.visitor_key = visitors_of_buyers.visitor_key

),

-- time decay: a session one half-life older has half the weight. As decimals, whose sum does not
-- depend on the order in which an engine adds: else nights note credit of long ago as changed
touches as (

    select
        macro_conversions.event_key,
        macro_conversions.macro_conversion,
        macro_conversions.occurred_at as macro_at,
        macro_conversions.value,
        sessions_of_buyers.session_key,
        sessions_of_buyers.started_at,
        cast(
            {{ attribution_weight(
                'sessions_of_buyers.started_at', 'macro_conversions.occurred_at'
            ) }}
            as decimal(38, 30)
        ) as weight

    from macro_conversions
    inner join sessions_of_buyers
        on macro_conversions.user_key = sessions_of_buyers.user_key
        and {{ shares_the_credit(
            'sessions_of_buyers.started_at',
            'sessions_of_buyers.session_key',
            'macro_conversions.occurred_at',
            'macro_conversions.session_key'
        ) }}

),

touches_shared as (

    select
        *,
        cast(weight as double)
        / cast(sum(weight) over (partition by event_key, macro_conversion) as double) as share,
        row_number() over (
            partition by event_key, macro_conversion order by started_at desc, session_key asc
        ) as touch_from_last

    from touches

),

touches_rounded as (

    select
        *,
        cast(round(cast(value as double) * share, 4) as decimal(18, 4)) as rounded_credit

    from touches_shared

)

-- the last touch takes what rounding leaves, so the credits of a macro sum to its value
select
    session_key,
    event_key,
    macro_conversion,
    macro_at,
    share,
    cast(
        case
            when touch_from_last = 1
                then value - (
                    sum(rounded_credit) over (partition by event_key, macro_conversion)
                    - rounded_credit
                )
            else rounded_credit
        end as decimal(18, 4)
    ) as credit

from touches_rounded
