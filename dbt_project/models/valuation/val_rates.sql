{{ config(tags=['quarterly']) }}

with

trials as (

    select * from {{ ref('val_trials') }}

),

micro_trials as (

    select * from {{ ref('val_trials') }}
    where micro_conversion <> '(session)'

),

-- the sessions (or users) themselves, seen from their start
units as (

    select * from {{ ref('val_trials') }}
    where micro_conversion = '(session)'

),

delay_curve as (

    select * from {{ ref('val_delay_curve') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

-- trials of one age count for the same share, so they are counted first
trials_by_age as (

    select
        macro_conversion,
        micro_conversion,
        intent_class,
        visitor_type,
        age_hours,
        count(*) as trials,
        count(macro_at) as conversions

    from trials
    group by macro_conversion, micro_conversion, intent_class, visitor_type, age_hours

),

-- a trial counts for the share of its time that it has had: G(age). Numbers beside the names,
-- since by names the sums by user below take twice as long. Sums of shares are rounded: their last
-- digits would tell in which order the rows came
ages as (

    select
        trials_by_age.*,
        case
            when trials_by_age.age_hours >= {{ horizon_hours() }} then 1.0
            else coalesce(delay_curve.maturity, 0.0)
        end as maturity,
        cast(
            dense_rank() over (
                order by trials_by_age.macro_conversion, trials_by_age.micro_conversion
            ) as smallint
        ) as pair_number,
        cast(dense_rank() over (order by trials_by_age.intent_class) as smallint)
            as intent_number,
        cast(dense_rank() over (order by trials_by_age.visitor_type) as smallint)
            as visitor_type_number

    from trials_by_age
    left join delay_curve
        on trials_by_age.macro_conversion = delay_curve.macro_conversion
        and trials_by_age.micro_conversion = delay_curve.micro_conversion
        and trials_by_age.age_hours = delay_curve.age_hours

),

totals as (

    select
        macro_conversion,
        micro_conversion,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        max(pair_number) as pair_number,
        case when intent_class is not null then max(intent_number) end as intent_number,
        case when visitor_type is not null then max(visitor_type_number) end
            as visitor_type_number,
        sum(trials) as trials,
        {{ rounded('sum(trials * maturity)', 11) }} as matured,
        sum(conversions) as conversions,
        sum(case when age_hours >= {{ horizon_hours() }} then trials else 0 end) as mature_trials

    from ages
    group by grouping sets (
        (macro_conversion, micro_conversion),
        (macro_conversion, micro_conversion, intent_class),
        (macro_conversion, micro_conversion, intent_class, visitor_type)
    )

),

-- by user first: trials of one person succeed and fail together
users as (

    select
        ages.pair_number,
        ages.intent_number,
        ages.visitor_type_number,
        trials.user_key,
        {{ rounded('sum(ages.maturity)', 11) }} as matured,
        count(trials.macro_at) as conversions

    from trials
    inner join ages
        on trials.macro_conversion = ages.macro_conversion
        and trials.micro_conversion = ages.micro_conversion
        and trials.intent_class = ages.intent_class
        and trials.visitor_type = ages.visitor_type
        and trials.age_hours = ages.age_hours
    group by grouping sets (
        (ages.pair_number, trials.user_key),
        (ages.pair_number, ages.intent_number, trials.user_key),
        (ages.pair_number, ages.intent_number, ages.visitor_type_number, trials.user_key)
    )

),

user_squares as (

    select
        pair_number,
        intent_number,
        visitor_type_number,
        sum(conversions * conversions) as conversions_squared,
        {{ rounded('sum(conversions * matured)', 9) }} as conversions_matured,
        {{ rounded('sum(matured * matured)', 9) }} as matured_squared

    from users
    group by pair_number, intent_number, visitor_type_number

),

group_totals as (

    select
        totals.macro_conversion,
        totals.micro_conversion,
        totals.intent_class,
        totals.visitor_type,
        totals.trials,
        totals.matured,
        totals.conversions,
        totals.mature_trials,
        user_squares.conversions_squared,
        user_squares.conversions_matured,
        user_squares.matured_squared

    from totals
    inner join user_squares
        on totals.pair_number = user_squares.pair_number
        and totals.intent_number is not distinct from user_squares.intent_number
        and totals.visitor_type_number is not distinct from user_squares.visitor_type_number

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
        {{ rounded("
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
            )", 12) }} as design_effect

    from group_spreads

),

unit_totals as (

    select * from trial_totals
    where micro_conversion = '(session)'

),

-- what nobody has done yet stands here too, for all segments: its weight speaks
micro_totals as (

    select
        macro_conversion,
        micro_conversion,
        intent_class,
        visitor_type,
        trials,
        mature_trials,
        conversions,
        matured,
        design_effect

    from trial_totals
    where micro_conversion <> '(session)'

    union all

    select
        unit_totals.macro_conversion,
        rules.conversion as micro_conversion,
        unit_totals.intent_class,
        unit_totals.visitor_type,
        0 as trials,
        0 as mature_trials,
        0 as conversions,
        0.0 as matured,
        1.0 as design_effect

    from unit_totals
    cross join rules
    left join trial_totals
        on unit_totals.macro_conversion = trial_totals.macro_conversion
        and rules.conversion = trial_totals.micro_conversion
    where
        unit_totals.intent_class = '(all)'
        and unit_totals.visitor_type = '(all)'
        and trial_totals.micro_conversion is null

),

-- the same sessions (or users) seen from their start, for those that had the micro-conversion
units_with_micro as (

    select
        micro_trials.macro_conversion,
        micro_trials.micro_conversion,
        units.intent_class,
        units.visitor_type,
        units.age_hours,
        count(*) as units,
        count(units.macro_at) as conversions

    from micro_trials
    inner join units
        on micro_trials.unit_key = units.unit_key
        and micro_trials.macro_conversion = units.macro_conversion
    group by
        micro_trials.macro_conversion,
        micro_trials.micro_conversion,
        units.intent_class,
        units.visitor_type,
        units.age_hours

),

unit_ages as (

    select * from ages
    where micro_conversion = '(session)'

),

units_with_micro_totals as (

    select
        units_with_micro.macro_conversion,
        units_with_micro.micro_conversion,
        coalesce(units_with_micro.intent_class, '(all)') as intent_class,
        coalesce(units_with_micro.visitor_type, '(all)') as visitor_type,
        {{ rounded('sum(units_with_micro.units * unit_ages.maturity)', 11) }} as matured,
        sum(units_with_micro.conversions) as conversions

    from units_with_micro
    inner join unit_ages
        on units_with_micro.macro_conversion = unit_ages.macro_conversion
        and units_with_micro.intent_class = unit_ages.intent_class
        and units_with_micro.visitor_type = unit_ages.visitor_type
        and units_with_micro.age_hours = unit_ages.age_hours
    group by grouping sets (
        (units_with_micro.macro_conversion, units_with_micro.micro_conversion),
        (
            units_with_micro.macro_conversion,
            units_with_micro.micro_conversion,
            units_with_micro.intent_class
        ),
        (
            units_with_micro.macro_conversion,
            units_with_micro.micro_conversion,
            units_with_micro.intent_class,
            units_with_micro.visitor_type
        )
    )

)

-- with trial_unit user a trial can stand in a segment in which nobody's first session began
select
    micro_totals.macro_conversion,
    micro_totals.micro_conversion,
    micro_totals.intent_class,
    micro_totals.visitor_type,
    micro_totals.trials,
    micro_totals.mature_trials,
    micro_totals.conversions,
    greatest(micro_totals.matured, micro_totals.conversions) as matured,
    micro_totals.design_effect,
    coalesce(unit_totals.design_effect, 1.0) as base_design_effect,
    coalesce(unit_totals.conversions, 0) as base_conversions,
    coalesce(greatest(unit_totals.matured, unit_totals.conversions), 0.0) as base_matured,
    coalesce(unit_totals.conversions, 0) - coalesce(units_with_micro_totals.conversions, 0)
        as conversions_without,
    coalesce(
        greatest(
            unit_totals.matured - coalesce(units_with_micro_totals.matured, 0),
            unit_totals.conversions - coalesce(units_with_micro_totals.conversions, 0)
        ), 0.0
    ) as matured_without

from micro_totals
left join unit_totals
    on micro_totals.macro_conversion = unit_totals.macro_conversion
    and micro_totals.intent_class = unit_totals.intent_class
    and micro_totals.visitor_type = unit_totals.visitor_type
left join units_with_micro_totals
    on micro_totals.macro_conversion = units_with_micro_totals.macro_conversion
    and micro_totals.micro_conversion = units_with_micro_totals.micro_conversion
    and micro_totals.intent_class = units_with_micro_totals.intent_class
    and micro_totals.visitor_type = units_with_micro_totals.visitor_type
