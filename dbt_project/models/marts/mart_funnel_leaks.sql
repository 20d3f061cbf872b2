with

funnel_steps as (

    select * from {{ ref('mart_funnel_steps') }}
    where grain = 'session'

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

goals as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

funnels as (

    select * from {{ ref('funnels') }}
    where starter_pack = '{{ var("starter_pack") }}'

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

landings as (

    select max(landed_date) as landed_date from event_counts

),

dates_with_steps as (

    select max(date) as step_date from funnel_steps

),

-- a day that a device is ahead has not come yet
last_days as (

    select
        least(
            dates_with_steps.step_date, coalesce(landings.landed_date, dates_with_steps.step_date)
        ) as last_date

    from dates_with_steps
    cross join landings

),

periods as (

    select
        last_date,
        {{ dbt.dateadd('day', '-' ~ var('leak_days'), 'last_date') }} as now_from,
        {{ dbt.dateadd('day', '-5 * ' ~ var('leak_days'), 'last_date') }} as before_from

    from last_days

),

last_steps as (

    select
        funnel,
        max(step_number) as step_number,
        max_by(event_name, step_number) as event_name

    from funnels
    group by funnel

),

steps_named as (

    select
        funnel,
        step_number,
        lead(event_name) over (partition by funnel order by step_number) as next_event_name

    from funnels

),

ends_and_goals as (

    select
        last_steps.funnel,
        goals.conversion as macro_conversion,
        goals.default_value,
        goals.event_name = last_steps.event_name as is_its_end,
        max(case when goals.event_name = last_steps.event_name then 1 else 0 end)
            over (partition by last_steps.funnel) as ends_in_a_goal

    from last_steps
    cross join goals

),

-- all goals for a funnel that ends in none of them
goals_of_funnels as (

    select * from ends_and_goals
    where is_its_end or ends_in_a_goal = 0

),

macros_added_up as (

    select
        macro_conversions.macro_conversion,
        sum(macro_conversions.value) as value,
        count(*) as conversions

    from macro_conversions
    inner join periods
        on {{ reporting_date('macro_conversions.occurred_at') }} > periods.before_from
        and {{ reporting_date('macro_conversions.occurred_at') }} <= periods.last_date
    where macro_conversions.value_source <> 'none'
    group by macro_conversions.macro_conversion

),

average_macros as (

    select
        goals_of_funnels.funnel,
        coalesce(
            cast(sum(macros_added_up.value) as double) / sum(macros_added_up.conversions),
            cast(sum(goals_of_funnels.default_value) as double) / count(*)
        ) as value

    from goals_of_funnels
    left join macros_added_up
        on goals_of_funnels.macro_conversion = macros_added_up.macro_conversion
    group by goals_of_funnels.funnel

),

steps_by_channel as (

    select
        funnel,
        step_number,
        event_name,
        date,
        channel_group,
        entered,
        continued

    from funnel_steps

    union all

    select
        funnel,
        step_number,
        event_name,
        date,
        '(all)' as channel_group,
        entered,
        continued

    from funnel_steps

),

-- the last days, and four times as many before them
steps_of_periods as (

    select
        steps.funnel,
        steps.step_number,
        steps.event_name,
        steps.channel_group,
        periods.last_date,
        sum(case when steps.date > periods.now_from then steps.entered else 0 end) as entered,
        sum(case when steps.date > periods.now_from then steps.continued else 0 end) as continued,
        sum(case when steps.date <= periods.now_from then steps.entered else 0 end)
            as entered_before,
        sum(case when steps.date <= periods.now_from then steps.continued else 0 end)
            as continued_before

    from steps_by_channel as steps
    inner join periods
        on steps.date > periods.before_from
        and steps.date <= periods.last_date
    group by
        steps.funnel, steps.step_number, steps.event_name, steps.channel_group, periods.last_date

),

steps_with_last as (

    select
        *,
        last_value(entered_before) over (
            partition by funnel, channel_group order by step_number
            rows between unbounded preceding and unbounded following
        ) as finished_before,
        max(step_number) over (partition by funnel, channel_group) as steps_of_channel

    from steps_of_periods

),

-- who is lost here would have gone on as those before did, and the last ones would have paid. Rates
-- as doubles: an engine cuts the digits of decimals that are divided and multiplied
losses as (

    select
        steps.*,
        steps_named.next_event_name,
        cast(steps.continued as double) / nullif(steps.entered, 0) as rate,
        cast(steps.continued_before as double) / nullif(steps.entered_before, 0) as rate_before,
        cast(steps.continued + steps.continued_before as double)
        / nullif(steps.entered + steps.entered_before, 0) as rate_pooled,
        case
            when steps.steps_of_channel = last_steps.step_number
                then cast(steps.finished_before as double) / nullif(steps.continued_before, 0)
            else 0
        end as share_that_finishes,
        coalesce(average_macros.value, 0) as macro_value

    from steps_with_last as steps
    inner join last_steps
        on steps.funnel = last_steps.funnel
        and steps.step_number < last_steps.step_number
    inner join steps_named
        on steps.funnel = steps_named.funnel
        and steps.step_number = steps_named.step_number
    left join average_macros on steps.funnel = average_macros.funnel

),

-- one session at least counts as expected to go no further: else, where nearly all go on, a single
-- one that does not would be a leak
losses_valued as (

    select
        *,
        entered * (rate_before - rate) as lost,
        entered * (rate_before - rate) * least(coalesce(share_that_finishes, 0), 1) * macro_value
            as money_lost,
        (rate - rate_before) / nullif(
            sqrt(
                rate_pooled * (
                    greatest(1 - rate_pooled, 1 / cast(nullif(entered, 0) as double))
                    / nullif(entered, 0)
                    + (1 - rate_pooled) / nullif(entered_before, 0)
                )
            ),
            0
        ) as standing

    from losses

),

losses_ranked as (

    select
        *,
        coalesce(standing < -{{ var('leak_sigmas') }}, false) as is_leak,
        row_number() over (
            partition by funnel, channel_group
            order by
                case when standing < -{{ var('leak_sigmas') }} then 0 else 1 end,
                money_lost desc nulls last,
                step_number
        ) as place_by_money

    from losses_valued

)

select
    last_date as date,
    funnel,
    step_number,
    channel_group,
    event_name,
    next_event_name,
    cast(entered as bigint) as entered,
    cast(continued as bigint) as continued,
    cast(entered_before as bigint) as entered_before,
    cast(continued_before as bigint) as continued_before,
    {{ rounded('cast(lost as double)', 4) }} as lost,
    cast({{ rounded('greatest(coalesce(money_lost, 0), 0)', 4) }} as decimal(18, 4)) as money_lost,
    is_leak,
    is_leak and place_by_money = 1 as is_biggest_leak,
    case
        when not is_leak then null
        when next_event_name in ('add_to_cart', 'add_to_wishlist')
            then 'Views but few carts: the product page, its price, stock or delivery time.'
        when next_event_name = 'begin_checkout'
            then 'Carts but few checkouts: the cart page, shipping costs, or a forced login.'
        when next_event_name = 'add_payment_info'
            then 'Checkouts but few payment details: address form, delivery or payment choices.'
        when next_event_name = 'purchase'
            then 'Checkouts but few orders: payment, its provider, or the last form.'
        when next_event_name in ('form_start', 'trial_started')
            then 'Readers but few beginnings: the page''s offer, or a button that does not work.'
        when next_event_name in ('demo_requested', 'generate_lead', 'sign_up', 'subscribe')
            then 'Begun but not sent: the form, a field that refuses, or its tag.'
        else 'Fewer go on than before: look at the page between the two steps, and at its tag.'
    end as usual_cause

from losses_ranked
