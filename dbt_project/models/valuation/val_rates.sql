{{ config(tags=['quarterly']) }}

with

trials as (

    select * from {{ ref('val_trials') }}

),

delay_curve as (

    select * from {{ ref('val_delay_curve') }}

),

-- a trial counts for the share of its time that it has had: G(age)
trials_matured as (

    select
        trials.*,
        case
            when trials.age_hours >= {{ horizon_hours() }} then 1.0
            else coalesce(delay_curve.maturity, 0.0)
        end as maturity,
        case when trials.macro_at is not null then 1 else 0 end as is_success

    from trials
    left join delay_curve
        on trials.macro_conversion = delay_curve.macro_conversion
        and trials.micro_conversion = delay_curve.micro_conversion
        and trials.age_hours = delay_curve.age_hours

),

units as (

    select * from trials_matured
    where micro_conversion = '(session)'

),

-- the same sessions (or users) seen from their start, for those that had the micro-conversion
units_with_micro as (

    select
        trials_matured.macro_conversion,
        trials_matured.micro_conversion,
        units.intent_class,
        units.visitor_type,
        units.maturity,
        units.is_success

    from trials_matured
    inner join units
        on trials_matured.unit_key = units.unit_key
        and trials_matured.macro_conversion = units.macro_conversion
    where trials_matured.micro_conversion <> '(session)'

),

-- by user first: trials of one person succeed and fail together
users as (

    select
        macro_conversion,
        micro_conversion,
        user_key,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        count(*) as trials,
        sum(maturity) as matured,
        sum(is_success) as conversions,
        count(case when maturity > 1 - 1e-9 then 1 end) as mature_trials

    from trials_matured
    group by grouping sets (
        (macro_conversion, micro_conversion, user_key),
        (macro_conversion, micro_conversion, user_key, intent_class),
        (macro_conversion, micro_conversion, user_key, intent_class, visitor_type)
    )

),

group_totals as (

    select
        macro_conversion,
        micro_conversion,
        intent_class,
        visitor_type,
        sum(trials) as trials,
        sum(matured) as matured,
        sum(conversions) as conversions,
        sum(mature_trials) as mature_trials,
        sum(conversions * conversions) as conversions_squared,
        sum(conversions * matured) as conversions_matured,
        sum(matured * matured) as matured_squared

    from users
    group by macro_conversion, micro_conversion, intent_class, visitor_type

),

-- a success can come before its trial has matured: never fewer tries than successes
group_rates as (

    select
        *,
        conversions / nullif(greatest(matured, conversions), 0) as rate

    from group_totals

),

-- how far users scatter round the group's rate, and how far independent trials would
group_spreads as (

    select
        *,
        conversions_squared - 2 * rate * conversions_matured + rate * rate * matured_squared
            as spread_of_users,
        rate * (1 - rate) * matured as spread_of_trials

    from group_rates

),

-- one design effect for each level, since a thin group cannot tell its own
trial_totals as (

    select
        *,
        greatest(
            coalesce(
                sum(spread_of_users) over (
                    partition by
                        macro_conversion, micro_conversion,
                        intent_class = '(all)', visitor_type = '(all)'
                ) / nullif(
                    sum(spread_of_trials) over (
                        partition by
                            macro_conversion, micro_conversion,
                            intent_class = '(all)', visitor_type = '(all)'
                    ), 0
                ), 1.0
            ), 1.0
        ) as design_effect

    from group_spreads

),

unit_totals as (

    select * from trial_totals
    where micro_conversion = '(session)'

),

units_with_micro_totals as (

    select
        macro_conversion,
        micro_conversion,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        sum(maturity) as matured,
        sum(is_success) as conversions

    from units_with_micro
    group by grouping sets (
        (macro_conversion, micro_conversion),
        (macro_conversion, micro_conversion, intent_class),
        (macro_conversion, micro_conversion, intent_class, visitor_type)
    )

)

select
    trial_totals.macro_conversion,
    trial_totals.micro_conversion,
    trial_totals.intent_class,
    trial_totals.visitor_type,
    trial_totals.trials,
    trial_totals.mature_trials,
    trial_totals.conversions,
    greatest(trial_totals.matured, trial_totals.conversions) as matured,
    trial_totals.design_effect,
    unit_totals.design_effect as base_design_effect,
    unit_totals.conversions as base_conversions,
    greatest(unit_totals.matured, unit_totals.conversions) as base_matured,
    unit_totals.conversions - coalesce(units_with_micro_totals.conversions, 0)
        as conversions_without,
    greatest(
        unit_totals.matured - coalesce(units_with_micro_totals.matured, 0),
        unit_totals.conversions - coalesce(units_with_micro_totals.conversions, 0)
    ) as matured_without

from trial_totals
inner join unit_totals
    on trial_totals.macro_conversion = unit_totals.macro_conversion
    and trial_totals.intent_class = unit_totals.intent_class
    and trial_totals.visitor_type = unit_totals.visitor_type
left join units_with_micro_totals
    on trial_totals.macro_conversion = units_with_micro_totals.macro_conversion
    and trial_totals.micro_conversion = units_with_micro_totals.micro_conversion
    and trial_totals.intent_class = units_with_micro_totals.intent_class
    and trial_totals.visitor_type = units_with_micro_totals.visitor_type
where trial_totals.micro_conversion <> '(session)'
