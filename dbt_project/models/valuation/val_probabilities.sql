{{ config(tags=['quarterly']) }}

with

posteriors as (

    select * from {{ ref('val_posteriors') }}

),

bounds as (

    select * from {{ ref('val_posterior_bounds') }}

),

rated as (

    select
        posteriors.*,
        posteriors.posterior_rate as probability,
        bounds.probability_lower,
        bounds.probability_upper,
        bounds.z,
        bounds.z_of_family,
        posteriors.conversions / nullif(posteriors.matured, 0) as raw_probability,
        posteriors.base_conversions / nullif(posteriors.base_matured, 0) as base_probability,
        posteriors.conversions_without / nullif(posteriors.matured_without, 0)
            as probability_without,
        posteriors.matured / nullif(posteriors.matured + posteriors.matured_without, 0)
            as share_with

    from posteriors
    inner join bounds
        on posteriors.macro_conversion = bounds.macro_conversion
        and posteriors.micro_conversion = bounds.micro_conversion
        and posteriors.intent_class = bounds.intent_class
        and posteriors.visitor_type = bounds.visitor_type

),

-- half a success more on each side keeps the logarithm finite
compared as (

    select
        *,
        raw_probability / nullif(base_probability, 0) as lift,
        ln(
            ((conversions + 0.5) / (matured + 1))
            / ((conversions_without + 0.5) / (matured_without + 1))
        ) as log_ratio,
        -- trials of one user say less than as many of different users
        sqrt(
            design_effect * (1 / (conversions + 0.5) - 1 / (matured + 1))
            + base_design_effect * (1 / (conversions_without + 0.5) - 1 / (matured_without + 1))
        ) as log_ratio_error

    from rated

),

bounded as (

    select
        *,
        {{ lift_of_ratio('exp(log_ratio - z * log_ratio_error)', 'share_with') }} as lift_lower,
        {{ lift_of_ratio('exp(log_ratio + z * log_ratio_error)', 'share_with') }} as lift_upper

    from compared

),

-- what all segments together show need only be seen again in one of them; what they do not show
-- must stand out of all the groups that were looked at, or chance would show it somewhere. Half a
-- success beside next to nobody is a rate of its own: the raw rates must differ the same way
judged as (

    select
        bounded.*,
        bounded.trials > 0 and bounded.matured_without > 0 as is_compared,
        case
            when bounded.trials < {{ var('minimum_trials') }} then 'too_few'
            when
                bounded.log_ratio > bounded.log_ratio_error * case
                    when of_all.lift_lower > 1 or bounded.intent_class = '(all)' then bounded.z
                    else bounded.z_of_family
                end
                and bounded.raw_probability > bounded.probability_without
                then 'predictive'
            when
                -bounded.log_ratio > bounded.log_ratio_error * case
                    when of_all.lift_upper < 1 or bounded.intent_class = '(all)' then bounded.z
                    else bounded.z_of_family
                end
                and bounded.raw_probability < bounded.probability_without
                then 'misleading'
            else 'unclear'
        end as verdict

    from bounded
    left join bounded as of_all
        on bounded.macro_conversion = of_all.macro_conversion
        and bounded.micro_conversion = of_all.micro_conversion
        and of_all.intent_class = '(all)'

)

select
    macro_conversion,
    micro_conversion,
    intent_class,
    visitor_type,
    trials,
    mature_trials,
    conversions,
    raw_probability,
    probability,
    probability_lower,
    probability_upper,
    base_probability,
    probability_without,
    lift,
    -- the point is a ratio of raw rates, and the bounds are those of the ratio with to without,
    -- half a success added to each: behind the verdict they are widened to hold the point
    case
        when is_compared then least(lift_lower, lift_upper, coalesce(lift, lift_lower))
    end as lift_lower,
    case
        when is_compared then greatest(lift_lower, lift_upper, coalesce(lift, lift_upper))
    end as lift_upper,
    verdict

from judged
