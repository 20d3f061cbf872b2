{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['date', 'micro_conversion', 'channel_group'],
    on_schema_change='fail'
) }}

{% set first_monday = "cast(date '2000-01-03' as timestamp)" -%}
{% set history = var('warning_history_weeks') * 7 -%}
{% set odd = var('warning_odd_sigmas') -%}
{% set jump = var('warning_jump_factor') -%}
{#- means over standard deviations of the normal distribution: of the distance of two draws, and of
    the distance of one from the middle -#}
{% set mean_range = 1.128 -%}
{% set mean_distance = 0.798 -%}

with

daily_rates as (

    select * from {{ ref('int_daily_micro_rates') }}

),

values_in_force as (

    select * from {{ ref('val_values_in_force') }}

),

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

landings as (

    select max(landed_date) as landed_date from event_counts

),

rates as (

    select
        *,
        cast(
            round({{ seconds_between(first_monday, 'cast(date as timestamp)') }} / 86400)
            as integer
        ) as day_number

    from daily_rates

),

-- a first look at each day against the same weekday before it, to find days that were no normal
-- ones: they must not become the norm of later days. Wherever a variance is taken, one session at
-- least counts as expected to miss it: where all meet it there would be none, so a tag that stops
-- would go unseen, and where nearly all do, two missing sessions would be a warning
first_looks as (

    select
        *,
        mod(day_number, 7) as weekday,
        sum(conversions) over same_weekday / nullif(sum(sessions) over same_weekday, 0)
            as rate_before

    from rates
    window
        same_weekday as (
            partition by channel_group, micro_conversion, mod(day_number, 7) order by day_number
            range between {{ history }} preceding and 1 preceding
        )

),

first_deviations as (

    select
        *,
        case
            when rate_before > 0
                then (conversions - sessions * rate_before)
                / sqrt(rate_before * greatest(sessions * (1 - rate_before), 1))
        end as deviation

    from first_looks

),

first_ranges as (

    select
        *,
        abs(
            deviation - lag(deviation) over (
                partition by channel_group, micro_conversion order by day_number
            )
        ) as moving_range

    from first_deviations

),

days_sorted_out as (

    select
        *,
        coalesce(
            abs(deviation - avg(deviation) over past)
            > {{ odd }} * greatest(avg(moving_range) over past / {{ mean_range }}, 1),
            false
        ) as is_odd

    from first_ranges
    window
        past as (
            partition by channel_group, micro_conversion order by day_number
            range between {{ history }} preceding and 1 preceding
        )

),

expectations as (

    select
        *,
        count(case when not is_odd then 1 end) over same_weekday as days_before,
        sum(case when not is_odd then conversions end) over same_weekday
        / nullif(sum(case when not is_odd then sessions end) over same_weekday, 0) as rate,
        avg(sessions) over lately as usual_sessions

    from days_sorted_out
    window
        same_weekday as (
            partition by channel_group, micro_conversion, weekday order by day_number
            range between {{ history }} preceding and 1 preceding
        ),
        lately as (
            partition by channel_group, micro_conversion, weekday order by day_number
            range between {{ var('warning_level_days') }} preceding and 1 preceding
        )

),

expected_channels as (

    select
        date,
        day_number,
        channel_group,
        micro_conversion,
        sessions,
        conversions,
        occurrences,
        usual_sessions,
        is_odd,
        sessions * rate as expected,
        rate * greatest(sessions * (1 - rate), 1) as variance

    from expectations
    where days_before >= {{ var('warning_minimum_weekdays') }}

),

-- all channels together see what is too thin in each; expected is the sum over the channels, so
-- that another mix of channels is no warning. Sums of fractions are rounded: their last digits
-- would tell in which order the rows came, and decide where a limit is met to the point
expected_of_all as (

    select
        date,
        day_number,
        '(all)' as channel_group,
        micro_conversion,
        sum(sessions) as sessions,
        sum(conversions) as conversions,
        sum(occurrences) as occurrences,
        {{ rounded('sum(usual_sessions)', 9) }} as usual_sessions,
        false as is_odd,
        {{ rounded('sum(expected)', 9) }} as expected,
        {{ rounded('sum(variance)', 9) }} as variance

    from expected_channels
    group by date, day_number, micro_conversion

),

expected as (

    select * from expected_channels

    union all

    select * from expected_of_all

),

deviations as (

    select
        *,
        case when variance > 0 then (conversions - expected) / sqrt(variance) end as deviation,
        1.0 * occurrences / nullif(conversions, 0) as firings

    from expected

),

deviations_sorted_out as (

    select
        *,
        is_odd or coalesce(
            channel_group = '(all)'
            and abs(deviation - avg(deviation) over past)
            > {{ odd }} * greatest(avg(abs(deviation)) over past / {{ mean_distance }}, 1),
            false
        ) as is_left_out

    from deviations
    window
        past as (
            partition by channel_group, micro_conversion order by day_number
            range between {{ history }} preceding and 1 preceding
        )

),

ranges as (

    select
        *,
        case when not is_left_out then deviation end as normal_deviation,
        case
            when not is_left_out and not lag(is_left_out) over series
                then abs(deviation - lag(deviation) over series)
        end as moving_range,
        abs(firings - lag(firings) over series) as firings_range

    from deviations_sorted_out
    window series as (partition by channel_group, micro_conversion order by day_number)

),

-- Laney's p': the spread of the standardised days, from one day to the next, widens the limits of
-- a binomial where days differ by more than chance; the level of late is taken off
charted as (

    select
        *,
        coalesce(avg(normal_deviation) over lately, 0) as level,
        greatest(avg(moving_range) over past / {{ mean_range }}, 1) as spread,
        count(moving_range) over past as days_charted,
        avg(firings) over lately as usual_firings,
        avg(firings_range) over lately / {{ mean_range }} as firings_spread

    from ranges
    window
        past as (
            partition by channel_group, micro_conversion order by day_number
            range between {{ history }} preceding and 1 preceding
        ),
        lately as (
            partition by channel_group, micro_conversion order by day_number
            range between {{ var('warning_level_days') }} preceding and 1 preceding
        )

),

standardised as (

    select
        *,
        expected + level * sqrt(variance) as expected_here,
        (deviation - level) / spread as standing,
        -- none of late is no usual traffic
        coalesce(
            sessions >= usual_sessions * {{ var('stable_traffic_share') }}
            and sessions * {{ var('stable_traffic_share') }} <= usual_sessions,
            false
        ) as traffic_is_stable

    from charted
    where variance > 0 and days_charted >= {{ var('warning_minimum_days') }}

),

-- a day of which nothing is said, since other people came, is not the first of two either
standings as (

    select
        *,
        lag(case when traffic_is_stable then standing end) over (
            partition by channel_group, micro_conversion order by day_number
        ) as standing_before

    from standardised

),

-- two days in a row on one side count together, whose sum has sqrt(2) times the spread of one: a
-- smaller drop takes two days to be sure of. Counts are skewed upwards: a jump must be further out
judged as (

    select
        *,
        case
            when not traffic_is_stable then null
            when conversions = 0 and expected >= {{ var('warning_stopped_expected') }}
                then 'stopped'
            when
                conversions >= {{ var('warning_minimum_expected') }}
                and firings > {{ var('warning_firings_growth') }} * usual_firings
                and firings > usual_firings + {{ odd }} * firings_spread
                then 'fires_more_often'
            when expected < {{ var('warning_minimum_expected') }} then null
            when
                standing < -{{ var('warning_sigmas') }}
                or (
                    standing < 0 and standing_before < 0
                    and standing + standing_before < -{{ var('warning_sigmas') }} * sqrt(2)
                )
                then 'dropped'
            when
                standing > {{ jump }} * {{ var('warning_sigmas') }}
                or (
                    standing > 0 and standing_before > 0
                    and standing + standing_before
                    > {{ jump }} * {{ var('warning_sigmas') }} * sqrt(2)
                )
                then 'jumped'
        end as warning

    from standings

),

values_per_act as (

    select
        micro_conversion,
        valid_from,
        valid_to,
        sum(value) as value

    from values_in_force
    where intent_class = '(all)' and visitor_type = '(all)'
    group by micro_conversion, valid_from, valid_to

),

-- no more can be expected than there are sessions, and no less than none, whatever the level says
judged_with_values as (

    select
        judged.*,
        least(greatest(judged.expected_here, 0), judged.sessions) as expected_conversions,
        coalesce(values_per_act.value, 0) as value_per_act

    from judged
    left join values_per_act
        on judged.micro_conversion = values_per_act.micro_conversion
        and judged.date >= values_per_act.valid_from
        and judged.date < values_per_act.valid_to
    cross join landings
    -- of a day that a device is ahead there is no news yet, and it would be the newest of all
    where judged.date <= coalesce(landings.landed_date, judged.date)

)

-- rounded, so that the order in which an engine adds numbers does not show
select
    date,
    micro_conversion,
    channel_group,
    cast(sessions as bigint) as sessions,
    cast(conversions as bigint) as conversions,
    {{ rounded('cast(expected_conversions as double) / sessions', 6) }} as expected_rate,
    cast(conversions as double) / sessions as actual_rate,
    {{ rounded('
        greatest(expected_here - ' ~ var('warning_sigmas') ~ ' * spread * sqrt(variance), 0)
        / sessions', 6) }} as lower_limit,
    {{ rounded('
        least(
            (expected_here + ' ~ jump ~ ' * ' ~ var('warning_sigmas') ~ ' * spread * sqrt(variance))
            / sessions,
            1
        )', 6) }} as upper_limit,
    traffic_is_stable,
    warning,
    case
        when warning in ('stopped', 'dropped') then 'down'
        when warning is not null then 'up'
    end as direction,
    case
        when warning is null then 'none'
        when warning in ('stopped', 'fires_more_often') then 'critical'
        when abs(standing) > {{ var('warning_critical_factor') }} * {{ var('warning_sigmas') }}
            then 'critical'
        else 'warning'
    end as severity,
    cast(
        case
            when warning is null then 0
            when warning = 'fires_more_often' then conversions * value_per_act
            else abs(expected_conversions - conversions) * value_per_act
        end as decimal(18, 4)
    ) as money_at_risk,
    case warning
        when 'stopped' then 'Not once, where it was met every day: the tag is gone or renamed.'
        when 'fires_more_often'
            then 'It fires more often in a session than before: a tag that fires twice.'
        when 'dropped' then 'Fewer sessions than usual meet it: a broken page, form or tag.'
        when 'jumped' then 'More sessions than usual meet it: a tag on the wrong page, or bots.'
    end as reason

from judged_with_values
