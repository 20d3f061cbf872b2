with

backtest as (

    select * from {{ ref('mart_value_backtest') }}
    where is_settled

),

daily_values as (

    select
        *,
        cast({{ dbt.date_trunc('week', 'date') }} as date) as week

    from {{ ref('mart_daily_values') }}
    where value_version <> '(prior)' and sessions > 0

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

credits as (

    select * from {{ ref('int_session_credits') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

),

-- how well the money of a channel and week was foretold
calibrations as (

    select
        value_version,
        count(*) as channel_weeks,
        sum(expected_revenue) as expected_revenue,
        sum(realised_revenue) as realised_revenue,
        sum(abs(expected_revenue - realised_revenue)) as absolute_error,
        case
            when min(expected_revenue) < max(expected_revenue)
                then regr_slope(
                    cast(realised_revenue as double), cast(expected_revenue as double)
                )
        end as calibration_slope

    from backtest
    group by value_version

),

campaign_weeks as (

    select
        value_version,
        source,
        medium,
        campaign,
        week,
        sum(sessions) as sessions,
        sum(expected_revenue) as expected_revenue,
        sum(weighted_value) as weighted_value

    from daily_values
    group by value_version, source, medium, campaign, week

),

first_settled_week as (

    select min(week) as week from backtest

),

-- no week is set beside sessions of an earlier one, and most of a long past has no version
credits_of_sessions as (

    select
        periods.value_version,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        credits.credit,
        cast({{ dbt.date_trunc('week', 'sessions.session_date') }} as date) as week,
        cast(
            {{ dbt.date_trunc('week', reporting_date('credits.macro_at')) }} as date
        ) as macro_week

    from credits
    inner join sessions on credits.session_key = sessions.session_key
    inner join first_settled_week on sessions.session_date >= first_settled_week.week
    inner join periods
        on sessions.session_date >= periods.valid_from
        and sessions.session_date < periods.valid_to

),

-- what sessions of one week were credited with by macro-conversions of each later week
credit_weeks as (

    select
        value_version,
        source,
        medium,
        campaign,
        week,
        macro_week,
        sum(credit) as credit

    from credits_of_sessions
    group by value_version, source, medium, campaign, week, macro_week

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

landings as (

    select max(landed_date) as landed_date from event_counts

),

dates_with_sessions as (

    select max(date) as session_date from daily_values

),

-- a device whose clock runs ahead ends no week
last_day as (

    select
        least(
            dates_with_sessions.session_date,
            coalesce(landings.landed_date, dates_with_sessions.session_date)
        ) as last_date

    from dates_with_sessions
    cross join landings

),

-- a week can be settled before the four weeks that it is ranked by are over, where sessions are
-- credited for fewer days
settled_weeks as (

    -- distinct: one row for each week, whatever its channels
    select distinct
        backtest.value_version,
        backtest.week

    from backtest
    inner join last_day on {{ dbt.dateadd('day', 27, 'backtest.week') }} < last_day.last_date

),

-- a campaign's four weeks from this one on, and what of it was known after the first: of a week in
-- which a version ends, of the sessions that the version valued, as all that is set beside it
campaigns as (

    select
        campaign_weeks.value_version,
        campaign_weeks.week,
        campaign_weeks.sessions,
        campaign_weeks.expected_revenue,
        campaign_weeks.weighted_value,
        coalesce(
            sum(
                case
                    when
                        credit_weeks.macro_week <= campaign_weeks.week
                        and credit_weeks.value_version = campaign_weeks.value_version
                        then credit_weeks.credit
                end
            ), 0
        ) as revenue_to_date,
        coalesce(sum(credit_weeks.credit), 0) as revenue_of_four_weeks

    from campaign_weeks
    inner join settled_weeks
        on campaign_weeks.value_version = settled_weeks.value_version
        and campaign_weeks.week = settled_weeks.week
    left join credit_weeks
        on campaign_weeks.source = credit_weeks.source
        and campaign_weeks.medium = credit_weeks.medium
        and campaign_weeks.campaign = credit_weeks.campaign
        and credit_weeks.week >= campaign_weeks.week
        and credit_weeks.macro_week <= {{ dbt.dateadd('day', 21, 'campaign_weeks.week') }}
    group by
        campaign_weeks.value_version,
        campaign_weeks.week,
        campaign_weeks.source,
        campaign_weeks.medium,
        campaign_weeks.campaign,
        campaign_weeks.sessions,
        campaign_weeks.expected_revenue,
        campaign_weeks.weighted_value

),

campaigns_ranked as (

    select
        value_version,
        week,
        {{ rank_with_ties('expected_revenue', 'value_version, week') }} as value_rank,
        {{ rank_with_ties('revenue_to_date', 'value_version, week') }} as revenue_rank,
        {{ rank_with_ties('sessions', 'value_version, week') }} as sessions_rank,
        {{ rank_with_ties('weighted_value', 'value_version, week') }} as weights_rank,
        {{ rank_with_ties('revenue_of_four_weeks', 'value_version, week') }} as outcome_rank

    from campaigns

),

-- three campaigns at least, and an outcome that differs: else nothing is ranked
weeks_correlated as (

    select
        value_version,
        week,
        {{ correlation('value_rank', 'outcome_rank') }} as by_value,
        {{ correlation('revenue_rank', 'outcome_rank') }} as by_revenue_to_date,
        {{ correlation('sessions_rank', 'outcome_rank') }} as by_sessions,
        {{ correlation('weights_rank', 'outcome_rank') }} as by_fixed_weights

    from campaigns_ranked
    group by value_version, week
    having count(*) >= 3 and min(outcome_rank) < max(outcome_rank)

),

correlations as (

    select
        value_version,
        count(*) as weeks_ranked,
        avg(by_value) as rank_correlation_value,
        avg(by_revenue_to_date) as rank_correlation_revenue_to_date,
        avg(by_sessions) as rank_correlation_sessions,
        avg(by_fixed_weights) as rank_correlation_fixed_weights

    from weeks_correlated
    group by value_version

)

select
    calibrations.value_version,
    cast(calibrations.channel_weeks as bigint) as channel_weeks,
    cast(calibrations.expected_revenue as decimal(18, 4)) as expected_revenue,
    cast(calibrations.realised_revenue as decimal(18, 4)) as realised_revenue,
    cast(calibrations.absolute_error as decimal(18, 4)) as absolute_error,
    -- floating sums differ in their last digits from run to run
    {{ rounded('calibrations.calibration_slope', 9) }} as calibration_slope,
    cast(coalesce(correlations.weeks_ranked, 0) as bigint) as weeks_ranked,
    {{ rounded('correlations.rank_correlation_value', 9) }} as rank_correlation_value,
    {{ rounded('correlations.rank_correlation_revenue_to_date', 9) }}
        as rank_correlation_revenue_to_date,
    {{ rounded('correlations.rank_correlation_sessions', 9) }} as rank_correlation_sessions,
    {{ rounded('correlations.rank_correlation_fixed_weights', 9) }}
        as rank_correlation_fixed_weights

from calibrations
left join correlations on calibrations.value_version = correlations.value_version
