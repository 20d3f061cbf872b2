{{ config(tags=['quarterly']) }}

with

rates as (

    select * from {{ ref('val_rates') }}
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
        children.matured,
        1.0 * parents.conversions / parents.matured as parent_rate,
        parents.matured as parent_matured

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
        micro_conversion,
        level,
        parent_intent_class,
        max(parent_rate * (1 - parent_rate)) as variance,
        count(*) - 1 as degrees_of_freedom,
        sum(matured * power(rate - parent_rate, 2)) as between_groups,
        sum(matured) - sum(matured * matured) / sum(matured) as effective_size

    from groups
    group by macro_conversion, micro_conversion, level, parent_intent_class

),

-- one correlation for each level, from all its families together
correlations as (

    select
        macro_conversion,
        micro_conversion,
        level,
        (sum(between_groups) - sum(variance * degrees_of_freedom))
        / nullif(sum(variance * (effective_size - degrees_of_freedom)), 0) as correlation

    from families
    group by macro_conversion, micro_conversion, level

)

-- no spread beyond chance: null, the groups are pooled as far as the parent itself is known
select
    macro_conversion,
    micro_conversion,
    level,
    correlation,
    case
        when correlation > 0 then 1 / least(correlation, 0.999999) - 1
    end as prior_strength

from correlations
