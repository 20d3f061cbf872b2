{{ config(tags=['quarterly']) }}

with

-- trials of one user count for as many as would tell as much from users of their own
rates as (

    select
        *,
        conversions / design_effect as effective_conversions,
        matured / design_effect as effective_trials

    from {{ ref('val_rates') }}

),

prior_strengths as (

    select * from {{ ref('val_prior_strengths') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

-- over all segments the configured weight of the tier is the prior
priors_of_all as (

    select
        rates.*,
        rules.weight as prior_rate,
        cast({{ var('prior_strength') }} as double) as prior_strength,
        cast(0 as double) as prior_variance

    from rates
    inner join rules on rates.micro_conversion = rules.conversion
    where rates.intent_class = '(all)' and rates.visitor_type = '(all)'

),

posteriors_of_all as (

    select
        *,
        {{ posterior_mean() }} as posterior_rate,
        {{ posterior_variance() }} as posterior_variance

    from priors_of_all

),

priors_of_intents as (

    select
        rates.*,
        parents.posterior_rate as prior_rate,
        {{ strength_of_parent('parents', 'prior_strengths') }} as prior_strength,
        parents.posterior_variance as prior_variance

    from rates
    inner join posteriors_of_all as parents
        on rates.macro_conversion = parents.macro_conversion
        and rates.micro_conversion = parents.micro_conversion
    left join prior_strengths
        on rates.macro_conversion = prior_strengths.macro_conversion
        and prior_strengths.level = 'intent_class'
    where rates.intent_class <> '(all)' and rates.visitor_type = '(all)'

),

posteriors_of_intents as (

    select
        *,
        {{ posterior_mean() }} as posterior_rate,
        {{ posterior_variance() }} as posterior_variance

    from priors_of_intents

),

-- who is new differs from who returns in much the same way whatever the act and the intent class:
-- what all segments of a visitor type had, beside what their intent classes say
visitor_types as (

    select
        rates.macro_conversion,
        rates.visitor_type,
        count(distinct rates.micro_conversion) as micros,
        {{ steady_sum('rates.effective_trials') }} as trials,
        {{ steady_sum('rates.effective_conversions') }} as conversions,
        {{ steady_sum('rates.effective_trials * parents.posterior_rate') }} as expected

    from rates
    inner join posteriors_of_intents as parents
        on rates.macro_conversion = parents.macro_conversion
        and rates.micro_conversion = parents.micro_conversion
        and rates.intent_class = parents.intent_class
    where rates.visitor_type <> '(all)'
    group by rates.macro_conversion, rates.visitor_type

),

-- one session is a trial of several acts: so many trials tell as much as those of one act alone
visitor_type_odds as (

    select
        macro_conversion,
        visitor_type,
        ln((conversions + 0.5) / (trials - conversions + 0.5))
        - ln((expected + 0.5) / (trials - expected + 0.5)) as log_odds_ratio,
        micros * (1 / (conversions + 0.5) + 1 / (trials - conversions + 0.5)) as error_squared

    from visitor_types

),

visitor_type_shifts as (

    select
        macro_conversion,
        visitor_type,
        case
            when log_odds_ratio * log_odds_ratio > error_squared
                then exp(log_odds_ratio - error_squared / log_odds_ratio)
            else 1.0
        end as odds_factor

    from visitor_type_odds

),

-- an intent class as the parent of its new, and of its returning visitors
parents_of_segments as (

    select
        intents.macro_conversion,
        intents.micro_conversion,
        intents.intent_class,
        shifts.visitor_type,
        intents.effective_trials,
        intents.prior_strength,
        {{ shifted_rate('intents.posterior_rate', 'shifts.odds_factor') }} as posterior_rate,
        intents.posterior_variance * power(
            shifts.odds_factor
            / power(
                1 - intents.posterior_rate + intents.posterior_rate * shifts.odds_factor, 2
            ), 2
        ) as posterior_variance

    from posteriors_of_intents as intents
    inner join visitor_type_shifts as shifts on intents.macro_conversion = shifts.macro_conversion

),

priors_of_segments as (

    select
        rates.*,
        parents.posterior_rate as prior_rate,
        {{ strength_of_parent('parents', 'prior_strengths') }} as prior_strength,
        parents.posterior_variance as prior_variance

    from rates
    inner join parents_of_segments as parents
        on rates.macro_conversion = parents.macro_conversion
        and rates.micro_conversion = parents.micro_conversion
        and rates.intent_class = parents.intent_class
        and rates.visitor_type = parents.visitor_type
    left join prior_strengths
        on rates.macro_conversion = prior_strengths.macro_conversion
        and prior_strengths.level = 'segment'
    where rates.visitor_type <> '(all)'

),

posteriors_of_segments as (

    select
        *,
        {{ posterior_mean() }} as posterior_rate,
        {{ posterior_variance() }} as posterior_variance

    from priors_of_segments

),

posteriors as (

    select * from posteriors_of_all

    union all

    select * from posteriors_of_intents

    union all

    select * from posteriors_of_segments

),

-- the Beta with that mean and variance
posteriors_with_size as (

    select
        *,
        -- a rate that is surely 0 or 1 has no such Beta, and greatest of null would be 0
        case
            when posterior_variance > 0
                then greatest(posterior_rate * (1 - posterior_rate) / posterior_variance - 1, 0)
        end as posterior_size

    from posteriors

)

select
    macro_conversion,
    micro_conversion,
    intent_class,
    visitor_type,
    trials,
    mature_trials,
    conversions,
    matured,
    design_effect,
    base_conversions,
    base_matured,
    base_design_effect,
    conversions_without,
    matured_without,
    prior_rate,
    prior_strength,
    posterior_rate,
    coalesce(posterior_rate * posterior_size, effective_conversions + prior_rate * prior_strength)
        as successes,
    coalesce(
        (1 - posterior_rate) * posterior_size,
        effective_trials - effective_conversions + (1 - prior_rate) * prior_strength
    ) as failures

from posteriors_with_size
