{{ config(tags=['quarterly']) }}

with

-- in trials that would tell as much if each came from a user of its own
rates as (

    select
        *,
        matured / design_effect as effective_trials

    from {{ ref('val_rates') }}
    where matured > 0

),

-- each group beside its parent: intent classes under all, segments under their intent class
groups as (

    select
        children.macro_conversion,
        children.micro_conversion,
        case when children.visitor_type = '(all)' then 'intent_class' else 'segment' end as level,
        parents.intent_class as parent_intent_class,
        1.0 * children.conversions / children.matured as rate,
        children.effective_trials,
        1.0 * parents.conversions / parents.matured as parent_rate

    from rates as children
    inner join rates as parents
        on children.macro_conversion = parents.macro_conversion
        and children.micro_conversion = parents.micro_conversion
        and parents.visitor_type = '(all)'
        and (
            (
                children.visitor_type = '(all)'
                and children.intent_class <> '(all)'
                and parents.intent_class = '(all)'
            )
            or (
                children.visitor_type <> '(all)'
                and parents.intent_class = children.intent_class
            )
        )

),

families as (

    select
        macro_conversion,
        level,
        max(parent_rate * (1 - parent_rate)) as variance,
        count(*) - 1 as degrees_of_freedom,
        {{ steady_sum('effective_trials * power(rate - parent_rate, 2)') }} as between_groups,
        {{ steady_sum('effective_trials') }}
        - {{ steady_sum('effective_trials * effective_trials') }}
        / {{ steady_sum('effective_trials') }} as effective_size

    from groups
    where parent_rate > 0 and parent_rate < 1
    group by macro_conversion, micro_conversion, level, parent_intent_class

)

-- the spread of log-odds below a parent is about the same for all micro-conversions of a goal:
-- one figure for each level, from all families together. Null: no spread beyond chance
select
    macro_conversion,
    level,
    case
        when {{ steady_sum('between_groups / variance') }} > sum(degrees_of_freedom)
            then {{ steady_sum('between_groups / variance - degrees_of_freedom') }} / nullif(
                {{ steady_sum('variance * (effective_size - degrees_of_freedom)') }}, 0
            )
    end as log_odds_variance

from families
group by macro_conversion, level
