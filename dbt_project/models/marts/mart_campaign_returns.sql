{% set first_monday = "cast(date '2000-01-03' as timestamp)" -%}
{% set growth_weeks = var('growth_weeks') | int -%}
{% set weeks_before_this = [growth_weeks - 1, 0] | max -%}
{% set sigmas = var('marginal_roas_sigmas') -%}

with

daily_values as (

    select * from {{ ref('mart_daily_values') }}

),

campaign_settings as (

    select * from {{ ref('campaign_settings') }}

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

weeks as (

    select
        cast({{ dbt.date_trunc('week', 'date') }} as date) as week,
        campaign,
        sum(cost) as cost,
        sum(clicks) as clicks,
        sum(sessions) as sessions,
        sum(hard_conversions) as hard_conversions,
        sum(macro_conversions) as macro_conversions,
        sum(revenue) as revenue,
        sum(attributed_revenue) as attributed_revenue,
        sum(expected_revenue) as value,
        min(value_version) as value_version,
        max(value_version) as last_value_version,
        max(case when value_version = '(prior)' then 1 else 0 end) = 1 as has_prior_values

    from daily_values
    group by cast({{ dbt.date_trunc('week', 'date') }} as date), campaign

),

landings as (

    select max(landed_date) as landed_date from event_counts

),

dates_with_data as (

    select
        max(date) as any_date,
        max(case when sessions > 0 then date end) as session_date,
        max(case when cost <> 0 then date end) as spend_date

    from daily_values

),

-- neither a device whose clock runs ahead ends a week, nor spend and refunds of later days while
-- the events of its own stay away
last_days as (

    select
        dates_with_data.spend_date as last_spend_date,
        least(
            coalesce(dates_with_data.session_date, dates_with_data.any_date),
            coalesce(landings.landed_date, dates_with_data.any_date)
        ) as last_date

    from dates_with_data
    cross join landings

),

weeks_numbered as (

    select
        weeks.*,
        cast(
            round(
                {{ seconds_between(first_monday, 'cast(weeks.week as timestamp)') }} / 604800
            ) as integer
        ) as week_number,
        weeks.week > last_days.last_spend_date as is_behind_all_spend,
        -- the newest date has only begun; and where spend ends within the week, the rest of it may
        -- be on its way: by what is there a campaign would have brought more than it did
        {{ dbt.dateadd('day', 6, 'weeks.week') }} < last_days.last_date
        and not coalesce(
            weeks.week <= last_days.last_spend_date
            and {{ dbt.dateadd('day', 6, 'weeks.week') }} > last_days.last_spend_date,
            false
        ) as is_complete,
        max(weeks.value) over (partition by weeks.week) as highest_value_of_week,
        sum(weeks.sessions) over (partition by weeks.week) as sessions_of_week

    from weeks
    cross join last_days

),

-- what a regression can use: a whole week with spend and value, valued by one version. The prior
-- ranks sessions and is no money, so how it answers to cost is no return
weeks_in_logs as (

    select
        *,
        ln(cast(cost as double)) as x,
        ln(cast(value as double)) as y,
        cast(week_number as double) as t

    from weeks_numbered
    where
        is_complete
        and cost > 0
        and value > 0
        and value_version = last_value_version
        and not has_prior_values

),

-- a new version moves all values at once, which is no answer to cost: each has a level of its own
sums_of_versions as (

    select
        weeks_now.campaign,
        weeks_now.week,
        past.value_version,
        count(*) as n,
        min(past.cost) as cost_from,
        max(past.cost) as cost_to,
        sum(past.x * past.x) - sum(past.x) * sum(past.x) / count(*) as s_xx,
        sum(past.y * past.y) - sum(past.y) * sum(past.y) / count(*) as s_yy,
        sum(past.t * past.t) - sum(past.t) * sum(past.t) / count(*) as s_tt,
        sum(past.x * past.y) - sum(past.x) * sum(past.y) / count(*) as s_xy,
        sum(past.x * past.t) - sum(past.x) * sum(past.t) / count(*) as s_xt,
        sum(past.y * past.t) - sum(past.y) * sum(past.t) / count(*) as s_yt

    from weeks_numbered as weeks_now
    inner join weeks_in_logs as past
        on weeks_now.campaign = past.campaign
        and past.week_number <= weeks_now.week_number
        and past.week_number > weeks_now.week_number - {{ var('response_weeks') }}
    group by weeks_now.campaign, weeks_now.week, past.value_version

),

sums_so_far as (

    select
        campaign,
        week,
        sum(n) as n,
        sum(n) - count(*) - 2 as degrees_of_freedom,
        min(cost_from) as observed_cost_from,
        max(cost_to) as observed_cost_to,
        sum(s_xx) as s_xx,
        sum(s_yy) as s_yy,
        sum(s_tt) as s_tt,
        sum(s_xy) as s_xy,
        sum(s_xt) as s_xt,
        sum(s_yt) as s_yt

    from sums_of_versions
    group by campaign, week

),

-- about the trend, so that growth is not taken for an answer to cost
sums_detrended as (

    select
        campaign,
        week,
        n,
        degrees_of_freedom,
        observed_cost_from,
        observed_cost_to,
        s_xx - s_xt * s_xt / nullif(s_tt, 0) as d_xx,
        s_yy - s_yt * s_yt / nullif(s_tt, 0) as d_yy,
        s_xy - s_xt * s_yt / nullif(s_tt, 0) as d_xy

    from sums_so_far

),

weeks_with_growth as (

    select
        *,
        sum(case when is_complete then hard_conversions end) over these_weeks as hard_now,
        sum(case when is_complete then cost end) over these_weeks as cost_now,
        sum(case when is_complete then hard_conversions end) over weeks_before as hard_before,
        sum(case when is_complete then cost end) over weeks_before as cost_before

    from weeks_numbered
    window
        these_weeks as (
            partition by campaign
            order by week_number
            range between {{ weeks_before_this }} preceding and current row
        ),
        weeks_before as (
            partition by campaign
            order by week_number
            range between {{ weeks_before_this + growth_weeks }} preceding
            and {{ growth_weeks }} preceding
        )

),

judged as (

    select
        weeks_now.*,
        sums.degrees_of_freedom,
        sums.d_xx,
        sums.d_yy,
        sums.d_xy,
        sums.observed_cost_from,
        sums.observed_cost_to,
        case
            when not weeks_now.is_complete then 'incomplete_week'
            when weeks_now.cost <= 0 then 'no_spend'
            when weeks_now.campaign = '(not set)' then 'no_campaign'
            when weeks_now.has_prior_values then 'no_version'
            when weeks_now.value <= 0 then 'no_value'
            -- from three degrees of freedom on t_quantile is near Student's
            when
                coalesce(sums.n, 0) < {{ var('minimum_response_weeks') }}
                or sums.degrees_of_freedom < 3
                or coalesce(sqrt(greatest(sums.d_xx, 0) / sums.n), 0)
                < {{ var('minimum_spend_variation') }}
                or weeks_now.cost < sums.observed_cost_from
                or weeks_now.cost > sums.observed_cost_to
                then 'insufficient_variation'
            else 'estimated'
        end as marginal_roas_status

    from weeks_with_growth as weeks_now
    left join sums_detrended as sums
        on weeks_now.campaign = sums.campaign
        and weeks_now.week = sums.week

),

slopes as (

    select
        week,
        campaign,
        degrees_of_freedom,
        d_xy / d_xx as slope,
        greatest(
            (d_yy - d_xy * d_xy / d_xx) / degrees_of_freedom,
            {{ var('minimum_value_noise') }} * {{ var('minimum_value_noise') }}
        ) / d_xx as variance

    from judged
    where marginal_roas_status = 'estimated'

),

-- how far the campaigns' slopes lie apart beyond their errors
account_sums as (

    select
        week,
        count(*) as campaigns,
        sum(1 / variance) as weights,
        sum(1 / (variance * variance)) as weights_squared,
        sum(slope / variance) as slopes_weighed,
        sum(slope * slope / variance) as squares_weighed

    from slopes
    group by week

),

account_spreads as (

    select
        week,
        greatest(
            coalesce(
                (
                    squares_weighed - slopes_weighed * slopes_weighed / weights - (campaigns - 1)
                ) / nullif(weights - weights_squared / weights, 0),
                0
            ),
            {{ var('elasticity_spread') }} * {{ var('elasticity_spread') }}
        ) as spread

    from account_sums

),

account_slopes as (

    select
        slopes.week,
        max(account_spreads.spread) as spread,
        sum(slopes.slope / (slopes.variance + account_spreads.spread))
        / sum(1 / (slopes.variance + account_spreads.spread)) as slope,
        1 / sum(1 / (slopes.variance + account_spreads.spread)) as variance

    from slopes
    inner join account_spreads on slopes.week = account_spreads.week
    group by slopes.week

),

-- rounded, so that the order in which an engine adds numbers does not show
slopes_shrunk as (

    select
        slopes.week,
        slopes.campaign,
        {{ rounded('
            (slopes.slope * account.spread + account.slope * slopes.variance)
            / (slopes.variance + account.spread)', 6) }} as elasticity,
        {{ rounded('
            sqrt(
                slopes.variance * account.spread / (slopes.variance + account.spread)
                + account.variance
                * power(slopes.variance / (slopes.variance + account.spread), 2)
            ) * ' ~ t_quantile(sigmas, 'slopes.degrees_of_freedom'), 6) }} as half_width

    from slopes
    inner join account_slopes as account on slopes.week = account.week

),

returns as (

    select
        judged.week,
        judged.campaign,
        judged.is_complete,
        judged.cost,
        judged.clicks,
        judged.sessions,
        judged.hard_conversions,
        judged.macro_conversions,
        judged.revenue,
        judged.attributed_revenue,
        judged.value,
        judged.marginal_roas_status,
        judged.highest_value_of_week,
        judged.sessions_of_week,
        judged.is_behind_all_spend,
        case
            when judged.marginal_roas_status = 'estimated' then judged.observed_cost_from
        end as observed_cost_from,
        case
            when judged.marginal_roas_status = 'estimated' then judged.observed_cost_to
        end as observed_cost_to,
        {{ money_ratio('judged.revenue', 'judged.cost') }} as roas,
        {{ money_ratio('judged.cost', 'judged.revenue') }} as pno,
        {{ money_ratio('judged.attributed_revenue', 'judged.cost') }} as attributed_roas,
        {{ money_ratio('judged.value', 'judged.cost') }} as value_roas,
        slopes_shrunk.elasticity,
        {{ rounded('slopes_shrunk.elasticity - slopes_shrunk.half_width', 6) }} as elasticity_lower,
        {{ rounded('slopes_shrunk.elasticity + slopes_shrunk.half_width', 6) }} as elasticity_upper,
        coalesce(campaign_settings.target_roas, {{ var('marginal_roas_goal') }}) as goal,
        -- growth of the hard ones beyond that of cost, as far as chance does not explain it
        coalesce(
            judged.is_complete
            and judged.campaign <> '(not set)'
            and judged.hard_before > 0
            and judged.cost_before > 0
            and judged.cost_now > 0
            and ln(cast(judged.hard_now as double) / cast(judged.hard_before as double))
            - ln(cast(judged.cost_now as double) / cast(judged.cost_before as double))
            > {{ sigmas }} * sqrt(
                1.0 / cast(judged.hard_now as double) + 1.0 / cast(judged.hard_before as double)
            ),
            false
        ) as hard_grows_faster_than_cost

    from judged
    left join slopes_shrunk
        on judged.week = slopes_shrunk.week
        and judged.campaign = slopes_shrunk.campaign
    left join campaign_settings on judged.campaign = campaign_settings.campaign

),

recommended as (

    select
        *,
        {{ rounded('elasticity * value_roas', 6) }} as marginal_roas,
        {{ rounded('elasticity_lower * value_roas', 6) }} as marginal_roas_lower,
        {{ rounded('elasticity_upper * value_roas', 6) }} as marginal_roas_upper,
        case
            when marginal_roas_status <> 'estimated' then 'wait'
            when elasticity_lower * value_roas >= goal then 'raise'
            when elasticity_upper * value_roas < goal then 'lower'
            else 'hold'
        end as recommendation

    from returns

)

select
    week,
    campaign,
    is_complete,
    cast(cost as decimal(18, 4)) as cost,
    cast(clicks as bigint) as clicks,
    cast(sessions as bigint) as sessions,
    cast(hard_conversions as bigint) as hard_conversions,
    cast(macro_conversions as bigint) as macro_conversions,
    cast(revenue as decimal(18, 4)) as revenue,
    cast(attributed_revenue as decimal(18, 4)) as attributed_revenue,
    cast(value as decimal(18, 4)) as value,
    roas,
    pno,
    attributed_roas,
    value_roas,
    marginal_roas,
    marginal_roas_lower,
    marginal_roas_upper,
    marginal_roas_status,
    elasticity,
    elasticity_lower,
    elasticity_upper,
    cast(observed_cost_from as decimal(18, 4)) as observed_cost_from,
    cast(observed_cost_to as decimal(18, 4)) as observed_cost_to,
    hard_grows_faster_than_cost,
    recommendation,
    case
        when marginal_roas_status = 'incomplete_week'
            then 'The week is not over yet, or not all of its events and its spend have come.'
        when marginal_roas_status = 'no_spend' and is_behind_all_spend
            then 'No spend has come of this week or a later one, of any campaign.'
        when marginal_roas_status = 'no_spend' then 'Nothing was spent in this week.'
        when marginal_roas_status = 'no_campaign'
            then 'This spend names no campaign, and these sessions are all that name none: what it '
            || 'brought is not known. Give the spend its campaigns.'
        when marginal_roas_status = 'no_version'
            then 'No value version is in force yet: the configured weights rank sessions and are '
            || 'not money to compare with cost. Run `make quarterly`.'
        when marginal_roas_status = 'no_value' and sessions_of_week = 0
            then 'No session of any campaign began in this week: look at the tracking before the '
            || 'budget.'
        when marginal_roas_status = 'no_value' and highest_value_of_week <= 0
            then 'No session of this week has a value, whatever its campaign: no settled session '
            || 'before the value version brought a known amount.'
        when marginal_roas_status = 'no_value' and sessions = 0
            then 'No session of this week names this campaign, so what it brought is not known: '
            || 'see that its links and its spend spell it alike, in upper and lower case too.'
        when marginal_roas_status = 'no_value'
            then 'What was spent in this week brought no value; look at it before the budget.'
        when marginal_roas_status = 'insufficient_variation'
            then 'Spend varied too little, or for too few weeks, to know what more of it brings; '
            || 'change the budget by a quarter for some weeks to learn it.'
        when recommendation = 'raise'
            then 'The next unit of cost brings ' || {{ in_words('marginal_roas') }}
            || ' of value, at least ' || {{ in_words('marginal_roas_lower') }}
            || '; the goal is ' || {{ in_words('goal') }} || '.'
        when recommendation = 'lower'
            then 'The last unit of cost brought ' || {{ in_words('marginal_roas') }}
            || ' of value, at most ' || {{ in_words('marginal_roas_upper') }}
            || '; the goal is ' || {{ in_words('goal') }} || '.'
        else
            'The next unit of cost brings between ' || {{ in_words('marginal_roas_lower') }}
            || ' and ' || {{ in_words('marginal_roas_upper') }}
            || ' of value; that may be above or below the goal of ' || {{ in_words('goal') }} || '.'
    end
    || case
        when hard_grows_faster_than_cost
            then ' Hard micro-conversions of {{ growth_weeks }} weeks grow faster than cost.'
        else ''
    end as reason

from recommended
