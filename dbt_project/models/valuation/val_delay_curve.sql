{{ config(tags=['quarterly']) }}

with

trials as (

    select * from {{ ref('val_trials') }}

),

hours as (

    select number as hour from {{ whole_numbers_below(horizon_hours()) }}

),

groups as (

    -- distinct: one curve for each pair, whatever its number of trials
    select distinct
        macro_conversion,
        micro_conversion

    from trials

),

-- a success in the trial's last, unfinished hour says nothing about a full hour: left out
trials_by_age as (

    select
        macro_conversion,
        micro_conversion,
        age_hours as hour,
        count(*) as trials,
        count(case when delay_hours < age_hours then 1 end) as conversions

    from trials
    group by macro_conversion, micro_conversion, age_hours

),

conversions_by_delay as (

    select
        macro_conversion,
        micro_conversion,
        delay_hours as hour,
        count(*) as conversions

    from trials
    where delay_hours < age_hours
    group by macro_conversion, micro_conversion, delay_hours

),

totals as (

    select
        macro_conversion,
        micro_conversion,
        sum(trials) as trials

    from trials_by_age
    group by macro_conversion, micro_conversion

),

grid as (

    select
        groups.macro_conversion,
        groups.micro_conversion,
        hours.hour,
        totals.trials as all_trials,
        coalesce(trials_by_age.trials, 0) as trials_of_age,
        coalesce(trials_by_age.conversions, 0) as conversions_of_age,
        coalesce(conversions_by_delay.conversions, 0) as conversions

    from groups
    cross join hours
    inner join totals
        on groups.macro_conversion = totals.macro_conversion
        and groups.micro_conversion = totals.micro_conversion
    left join trials_by_age
        on groups.macro_conversion = trials_by_age.macro_conversion
        and groups.micro_conversion = trials_by_age.micro_conversion
        and hours.hour = trials_by_age.hour
    left join conversions_by_delay
        on groups.macro_conversion = conversions_by_delay.macro_conversion
        and groups.micro_conversion = conversions_by_delay.micro_conversion
        and hours.hour = conversions_by_delay.hour

),

-- at risk in hour h: observed through its end, and not converted before it
grid_at_risk as (

    select
        *,
        all_trials
        - sum(trials_of_age)
            over (
                partition by macro_conversion, micro_conversion order by hour
                rows between unbounded preceding and current row
            )
        - (
            sum(conversions) over (
                partition by macro_conversion, micro_conversion order by hour
                rows between unbounded preceding and current row
            ) - conversions
        )
        + sum(conversions_of_age) over (
            partition by macro_conversion, micro_conversion order by hour
            rows between unbounded preceding and current row
        ) as at_risk

    from grid

),

grid_with_hazard as (

    select
        *,
        case when at_risk > 0 then least(1.0 * conversions / at_risk, 1.0) else 0.0 end as hazard

    from grid_at_risk

),

-- a hazard of one leaves nobody: the logarithm is kept finite
grid_converted as (

    select
        *,
        1.0 - exp(
            sum(ln(greatest(1.0 - hazard, 1e-300))) over (
                partition by macro_conversion, micro_conversion order by hour
                rows between unbounded preceding and current row
            )
        ) as converted_share

    from grid_with_hazard

),

grid_at_horizon as (

    select
        *,
        max(converted_share) over (
            partition by macro_conversion, micro_conversion
        ) as converted_share_at_horizon

    from grid_converted

)

select
    macro_conversion,
    micro_conversion,
    cast(hour + 1 as integer) as age_hours,
    cast(at_risk as bigint) as at_risk,
    cast(conversions as bigint) as conversions,
    converted_share,
    case
        when converted_share_at_horizon > 0 then converted_share / converted_share_at_horizon
        else 1.0
    end as maturity

from grid_at_horizon
