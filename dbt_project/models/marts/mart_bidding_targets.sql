{% set mixed = var('bidding_switch_conversions') ~ ' * ' ~ var('bidding_mixed_share') -%}

with

daily_values as (

    select * from {{ ref('mart_daily_values') }}

),

campaign_settings as (

    select * from {{ ref('campaign_settings') }}

),

days as (

    select
        date,
        campaign,
        sum(sessions) as sessions,
        sum(cost) as cost,
        sum(soft_conversions + medium_conversions + hard_conversions) as micro_conversions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(expected_revenue) as value,
        min(value_version) as value_version

    from daily_values
    where campaign <> '(not set)'
    group by date, campaign

),

-- the last 30 days, and two halves of 56 days to compare; the columns are named after them. A
-- campaign without a row in the days before did nothing there: none, and not unknown
days_summed as (

    select
        date,
        campaign,
        value_version,
        sum(macro_conversions) over last_30_days as macro_conversions_30d,
        sum(sessions) over last_28_days as sessions_now,
        sum(micro_conversions) over last_28_days as micros_now,
        sum(macro_conversions) over last_28_days as macros_now,
        sum(cost) over last_28_days as cost_now,
        cast(sum(revenue) over last_28_days as double) as revenue_now,
        cast(sum(value) over last_28_days as double) as value_now,
        coalesce(sum(micro_conversions) over days_before, 0) as micros_before,
        coalesce(sum(macro_conversions) over days_before, 0) as macros_before,
        sum(cost) over days_before as cost_before,
        cast(sum(revenue) over days_before as double) as revenue_before,
        cast(sum(value) over days_before as double) as value_before,
        coalesce(
            min(value_version) over both_halves = max(value_version) over both_halves, true
        ) as is_one_version

    from days
    window
        last_30_days as (
            partition by campaign order by date
            range between interval '29' day preceding and current row
        ),
        last_28_days as (
            partition by campaign order by date
            range between interval '27' day preceding and current row
        ),
        days_before as (
            partition by campaign order by date
            range between interval '55' day preceding and interval '28' day preceding
        ),
        both_halves as (
            partition by campaign order by date
            range between interval '55' day preceding and current row
        )

),

-- a limit is crossed upwards at its number, downwards only at a share of it, so that a campaign
-- round the limit is not switched to and fro
crossings as (

    select
        *,
        case
            when macro_conversions_30d >= {{ var('bidding_switch_conversions') }} then 1
            when
                macro_conversions_30d
                < {{ var('bidding_switch_conversions') }} * {{ var('bidding_hysteresis_share') }}
                then 0
        end as macro_crossing,
        case
            when macro_conversions_30d >= {{ mixed }} then 1
            when
                macro_conversions_30d
                < {{ mixed }} * {{ var('bidding_hysteresis_share') }}
                then 0
        end as mixed_crossing

    from days_summed

),

states as (

    select
        *,
        coalesce({{ last_known('macro_crossing') }} over so_far, 0) as is_macro,
        coalesce({{ last_known('mixed_crossing') }} over so_far, 0) as is_mixed

    from crossings
    window
        so_far as (
            partition by campaign order by date
            rows between unbounded preceding and current row
        )

),

targets as (

    select
        states.*,
        campaign_settings.bids_on as current_target,
        case
            when states.is_macro = 1 then 'macro'
            when states.is_mixed = 1 then 'mixed'
            else 'micro'
        end as recommended_target

    from states
    left join campaign_settings on states.campaign = campaign_settings.campaign

),

targets_numbered as (

    select
        *,
        count(case when recommended_target = 'micro' then 1 end) over (
            partition by campaign order by date
            rows between unbounded preceding and current row
        ) as micro_days

    from targets

),

-- since when the campaign could have bid on more than micro-conversions; it has no row of a day on
-- which nothing happened, so this is not the day behind its last micro one
targets_dated as (

    select
        *,
        min(case when recommended_target <> 'micro' then date end) over (
            partition by campaign, micro_days
        ) as better_since

    from targets_numbered

),

judged as (

    select
        *,
        coalesce(
            current_target = 'micro'
            and recommended_target <> 'micro'
            and date >= {{ dbt.dateadd(
                'day', (var('micro_patience_days') | int) - 1, 'better_since'
            ) }},
            false
        ) as is_left_on_micro,
        -- micros grew beyond chance, macros did not, and the gap between them is beyond chance too.
        -- A new version moves all values at once: across one the micros stand for their value
        coalesce(
            micros_before >= {{ var('trap_minimum_micros') }}
            and macros_before > 0
            and micros_now >= {{ var('trap_growth') }} * micros_before
            and macros_now <= {{ var('trap_flat_growth') }} * macros_before
            and {{ grew_apart('micros_now', 'micros_before', 'macros_now', 'macros_before') }}
            and case
                when is_one_version then value_now * revenue_before > revenue_now * value_before
                else micros_now * revenue_before > revenue_now * micros_before
            end,
            false
        ) as is_trap

    from targets_dated

)

select
    date,
    campaign,
    cast(macro_conversions_30d as bigint) as macro_conversions_30d,
    current_target,
    recommended_target,
    is_left_on_micro,
    is_trap,
    cast(micros_now as bigint) as micro_conversions_28d,
    cast(micros_before as bigint) as micro_conversions_28d_before,
    cast(macros_now as bigint) as macro_conversions_28d,
    cast(macros_before as bigint) as macro_conversions_28d_before,
    {{ money_ratio('value_now', 'cost_now') }} as value_roas_28d,
    {{ money_ratio('value_before', 'cost_before') }} as value_roas_28d_before,
    {{ money_ratio('revenue_now', 'cost_now') }} as roas_28d,
    {{ money_ratio('revenue_before', 'cost_before') }} as roas_28d_before,
    cast(cast(macro_conversions_30d as bigint) as string)
    || case when macro_conversions_30d = 1 then ' macro-conversion' else ' macro-conversions' end
    || ' in 30 days; '
    || case
        when recommended_target = 'macro' then 'enough to bid on the macro-conversion.'
        when recommended_target = 'mixed'
            then 'enough to mix the macro-conversion with hard micro-conversions.'
        when sessions_now = 0
            then 'no session of 28 days names this campaign: see that its links and its spend '
            || 'spell it alike, in upper and lower case too.'
        else 'too few to learn from, so bid on micro-conversions by their value.'
    end
    || case
        when current_target is null then ' What it bids on now is not in campaign_settings.csv.'
        when is_left_on_micro then ' Left on micro-conversions too long: switch.'
        when sessions_now = 0 then ''
        when current_target <> recommended_target
            then ' It bids on ' || current_target || ' now: switch.'
        else ''
    end
    || case
        when is_trap
            then ' Trap: micro-conversions rose and macro-conversions did not, so what they '
            || 'promise and ROAS drift apart; see which micro-conversion it buys.'
        else ''
    end
    || case
        when value_version = '(prior)'
            then ' No value version is in force yet: values of micro-conversions are configured '
            || 'weights, which rank and are no money. Run `make quarterly`.'
        else ''
    end as reason

from judged
