{{ config(tags=['quarterly']) }}

with

bounds as (

    select * from {{ ref('val_posterior_bounds') }}

),

trials as (

    select * from {{ ref('val_trials') }}
    where micro_conversion <> '(session)'

),

micro_conversions as (

    select * from {{ ref('val_micro_conversions') }}

),

macro_conversions as (

    select * from {{ ref('val_macro_conversions') }}

),

identities as (

    select * from {{ ref('val_visitor_identities') }}

),

sessions as (

    select * from {{ ref('int_all_sessions') }}

),

sessions_of_version as (

    select * from {{ ref('val_sessions') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

ceilings as (

    select
        macro_conversion,
        {{ winsor_ceiling('value') }} as ceiling

    from macro_conversions
    where value_source <> 'none'
    group by macro_conversion

),

macros_of_users as (

    select
        macro_conversions.macro_conversion,
        macro_conversions.session_key,
        macro_conversions.occurred_at,
        macro_conversions.sequence,
        macro_conversions.event_number,
        macro_conversions.value_source,
        coalesce(identities.user_key, macro_conversions.visitor_key) as user_key,
        cast(
            least(
                macro_conversions.value,
                cast({{ rounded('ceilings.ceiling', 4) }} as decimal(18, 4))
            ) as decimal(18, 4)
        ) as value

    from macro_conversions
    left join identities on macro_conversions.visitor_key = identities.visitor_key
    left join ceilings on macro_conversions.macro_conversion = ceilings.macro_conversion

),

-- the order behind a trial; two on one clock tick are one of their mean
orders as (

    select
        macro_conversion,
        {{ 'session_key' if var('conversion_scope') == 'session' else 'user_key' }} as scope_key,
        occurred_at,
        {{ steady_sum('value') }} / count(*) as value

    from macros_of_users
    where value_source <> 'none'
    group by macro_conversion, scope_key, occurred_at

),

-- an order counts once, however many trials it followed: once in its segment, once in all
baskets as (

    select
        trials.macro_conversion,
        trials.micro_conversion,
        coalesce(trials.intent_class, '(all)') as intent_class,
        coalesce(trials.visitor_type, '(all)') as visitor_type,
        orders.scope_key,
        orders.occurred_at,
        max(orders.value) as value

    from trials
    inner join orders
        on trials.macro_conversion = orders.macro_conversion
        and trials.{{ 'session_key' if var('conversion_scope') == 'session' else 'user_key' }}
        = orders.scope_key
        and trials.macro_at = orders.occurred_at
    group by grouping sets (
        (
            trials.macro_conversion, trials.micro_conversion, orders.scope_key,
            orders.occurred_at
        ),
        (
            trials.macro_conversion, trials.micro_conversion, orders.scope_key,
            orders.occurred_at, trials.intent_class
        ),
        (
            trials.macro_conversion, trials.micro_conversion, orders.scope_key,
            orders.occurred_at, trials.intent_class, trials.visitor_type
        )
    )

),

basket_sums as (

    select
        macro_conversion,
        micro_conversion,
        intent_class,
        visitor_type,
        count(*) as baskets,
        sum(cast(value as decimal(18, 4))) as value,
        {{ steady_sum('value * value', 8) }} as squares

    from baskets
    group by macro_conversion, micro_conversion, intent_class, visitor_type

),

micros_of_users as (

    select
        micro_conversions.micro_conversion,
        micro_conversions.session_key,
        micro_conversions.occurred_at,
        micro_conversions.sequence,
        micro_conversions.event_number,
        coalesce(identities.user_key, micro_conversions.visitor_key) as user_key

    from micro_conversions
    left join identities on micro_conversions.visitor_key = identities.visitor_key

),

first_moments as (

    select
        micro_conversion,
        user_key,
        min(occurred_at) as occurred_at

    from micros_of_users
    group by micro_conversion, user_key

),

-- as many days of first times as the look-back has, each with a whole lifetime behind it
first_moments_read as (

    select * from first_moments
    where
        occurred_at <= {{ days_before_version(var('lifetime_days')) }}
        and occurred_at > {{ days_before_version(var('lifetime_days') + var('look_back_days')) }}

),

first_times_ranked as (

    select
        micros_of_users.*,
        row_number() over (
            partition by micros_of_users.micro_conversion, micros_of_users.user_key
            order by micros_of_users.sequence, micros_of_users.event_number
        ) as place

    from micros_of_users
    inner join first_moments_read
        on micros_of_users.micro_conversion = first_moments_read.micro_conversion
        and micros_of_users.user_key = first_moments_read.user_key
        and micros_of_users.occurred_at = first_moments_read.occurred_at

),

-- of a lifetime shorter than the longest session, a visit may have been told its source too late
first_times as (

    select
        first_times_ranked.micro_conversion,
        first_times_ranked.user_key,
        first_times_ranked.occurred_at,
        first_times_ranked.sequence,
        first_times_ranked.event_number,
        coalesce(sessions_of_version.intent_class, traffic_sources.intent_class) as intent_class,
        sessions.visitor_type

    from first_times_ranked
    inner join sessions on first_times_ranked.session_key = sessions.session_key
    left join sessions_of_version
        on first_times_ranked.session_key = sessions_of_version.session_key
    left join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign
    where first_times_ranked.place = 1

),

-- what a user brought behind the first time, and within a lifetime from it
money_of_users as (

    select
        first_times.micro_conversion,
        first_times.user_key,
        macros_of_users.macro_conversion,
        count(*) as orders,
        sum(macros_of_users.value) as value

    from first_times
    inner join macros_of_users
        on first_times.user_key = macros_of_users.user_key
        and macros_of_users.occurred_at <= {{ dbt.dateadd(
            'day', var('lifetime_days'), 'first_times.occurred_at'
        ) }}
        and (
            macros_of_users.occurred_at > first_times.occurred_at
            or (
                macros_of_users.occurred_at = first_times.occurred_at
                and (
                    macros_of_users.sequence > first_times.sequence
                    or (
                        macros_of_users.sequence = first_times.sequence
                        and macros_of_users.event_number > first_times.event_number
                    )
                )
            )
        )
    group by
        first_times.micro_conversion, first_times.user_key, macros_of_users.macro_conversion

),

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

-- who brought nothing is a customer of nothing, and counts
lifetimes as (

    select
        goals.macro_conversion,
        first_times.micro_conversion,
        first_times.intent_class,
        first_times.visitor_type,
        coalesce(money_of_users.orders, 0) as orders,
        coalesce(money_of_users.value, 0) as value

    from first_times
    cross join goals
    left join money_of_users
        on first_times.micro_conversion = money_of_users.micro_conversion
        and first_times.user_key = money_of_users.user_key
        and goals.macro_conversion = money_of_users.macro_conversion

),

lifetime_sums as (

    select
        macro_conversion,
        micro_conversion,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        count(*) as users,
        sum(orders) as orders,
        sum(value) as value,
        {{ steady_sum('cast(value as double) * cast(value as double)', 8) }} as squares

    from lifetimes
    group by grouping sets (
        (macro_conversion, micro_conversion),
        (macro_conversion, micro_conversion, intent_class),
        (macro_conversion, micro_conversion, intent_class, visitor_type)
    )

),

means as (

    select
        bounds.macro_conversion,
        bounds.micro_conversion,
        bounds.intent_class,
        bounds.visitor_type,
        bounds.z,
        coalesce(basket_sums.baskets, 0) as baskets,
        cast(basket_sums.value as double) / basket_sums.baskets as basket_value,
        {{ standard_error('basket_sums.baskets', 'basket_sums.value', 'basket_sums.squares') }}
            as basket_error,
        coalesce(lifetime_sums.users, 0) as lifetime_users,
        coalesce(lifetime_sums.orders, 0) as lifetime_orders,
        cast(lifetime_sums.value as double) / lifetime_sums.users as lifetime_value,
        {{ standard_error('lifetime_sums.users', 'lifetime_sums.value', 'lifetime_sums.squares') }}
            as lifetime_error

    from bounds
    left join basket_sums
        on bounds.macro_conversion = basket_sums.macro_conversion
        and bounds.micro_conversion = basket_sums.micro_conversion
        and bounds.intent_class = basket_sums.intent_class
        and bounds.visitor_type = basket_sums.visitor_type
    left join lifetime_sums
        on bounds.macro_conversion = lifetime_sums.macro_conversion
        and bounds.micro_conversion = lifetime_sums.micro_conversion
        and bounds.intent_class = lifetime_sums.intent_class
        and bounds.visitor_type = lifetime_sums.visitor_type

)

-- fewer than five leave t_quantile less than the four degrees of freedom from which on it holds
select
    macro_conversion,
    micro_conversion,
    intent_class,
    visitor_type,
    baskets,
    basket_value,
    case
        when baskets >= 5
            then greatest(basket_value - {{ t_quantile('z', '(baskets - 1)') }} * basket_error, 0)
    end as basket_value_lower,
    case
        when baskets >= 5
            then basket_value + {{ t_quantile('z', '(baskets - 1)') }} * basket_error
    end as basket_value_upper,
    lifetime_users,
    lifetime_orders,
    lifetime_value,
    case
        when lifetime_users >= 5
            then greatest(
                lifetime_value - {{ t_quantile('z', '(lifetime_users - 1)') }} * lifetime_error, 0
            )
    end as lifetime_value_lower,
    case
        when lifetime_users >= 5
            then lifetime_value + {{ t_quantile('z', '(lifetime_users - 1)') }} * lifetime_error
    end as lifetime_value_upper,
    case
        when lifetime_users = 0 then 'immature'
        when lifetime_users < {{ var('minimum_trials') }} then 'too_few'
        else 'mature'
    end as lifetime_maturity

from means
