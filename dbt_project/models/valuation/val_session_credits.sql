{{ config(tags=['quarterly']) }}

with

macro_conversions as (

    select * from {{ ref('val_macro_conversions') }}

),

sessions as (

    select * from {{ ref('val_sessions') }}

),

identities as (

    select * from {{ ref('val_visitor_identities') }}

),

-- money above the quantile is not lost: it is spread over all macros in proportion, so that the
-- one segment that had the huge order is not taken for a rich one. An order of which no amount is
-- known says nothing about it
ceilings as (

    select
        macro_conversion,
        {{ winsor_ceiling('value') }} as ceiling

    from macro_conversions
    where value_source <> 'none'
    group by macro_conversion

),

spreads as (

    select
        macro_conversions.macro_conversion,
        max(ceilings.ceiling) as ceiling,
        cast(sum(macro_conversions.value) as double) / nullif(
            {{ steady_sum('least(cast(macro_conversions.value as double), ceilings.ceiling)') }}, 0
        ) as factor

    from macro_conversions
    inner join ceilings on macro_conversions.macro_conversion = ceilings.macro_conversion
    group by macro_conversions.macro_conversion

),

macros_of_users as (

    select
        macro_conversions.event_key,
        macro_conversions.macro_conversion,
        macro_conversions.session_key,
        macro_conversions.occurred_at,
        -- no factor: nobody brought anything
        case
            when spreads.factor is null then cast(macro_conversions.value as double)
            else least(cast(macro_conversions.value as double), spreads.ceiling) * spreads.factor
        end as value,
        coalesce(identities.user_key, macro_conversions.visitor_key) as user_key

    from macro_conversions
    left join spreads on macro_conversions.macro_conversion = spreads.macro_conversion
    left join identities on macro_conversions.visitor_key = identities.visitor_key

),

touches as (

    select
        sessions.session_key,
        macros_of_users.event_key,
        macros_of_users.macro_conversion,
        macros_of_users.value,
        {{ attribution_weight('sessions.started_at', 'macros_of_users.occurred_at') }} as weight

    from macros_of_users
    inner join sessions
        on macros_of_users.user_key = sessions.user_key
        and {{ shares_the_credit(
            'sessions.started_at',
            'sessions.session_key',
            'macros_of_users.occurred_at',
            'macros_of_users.session_key'
        ) }}

),

touches_shared as (

    select
        *,
        weight / cast(
            sum(cast(weight as decimal(38, 30))) over (partition by event_key, macro_conversion)
            as double
        ) as share

    from touches

)

select
    session_key,
    macro_conversion,
    {{ steady_sum('value * share') }} as credit

from touches_shared
group by session_key, macro_conversion
