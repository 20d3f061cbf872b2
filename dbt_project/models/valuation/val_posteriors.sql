{{ config(tags=['quarterly']) }}

with

rates as (

    select * from {{ ref('val_rates') }}

),

prior_strengths as (

    select * from {{ ref('val_prior_strengths') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

-- over all segments the configured weight of the tier is the prior
posteriors_of_all as (

    select
        rates.*,
        rules.weight as prior_rate,
        cast({{ var('prior_strength') }} as double) as prior_strength

    from rates
    inner join rules on rates.micro_conversion = rules.conversion
    where rates.intent_class = '(all)' and rates.visitor_type = '(all)'

),

-- a parent counts for no more trials than it rests on itself
posteriors_of_intents as (

    select
        rates.*,
        {{ posterior_mean('parents') }} as prior_rate,
        least(
            coalesce(prior_strengths.prior_strength, parents.matured + parents.prior_strength),
            parents.matured + parents.prior_strength
        ) as prior_strength

    from rates
    inner join posteriors_of_all as parents
        on rates.macro_conversion = parents.macro_conversion
        and rates.micro_conversion = parents.micro_conversion
    left join prior_strengths
        on rates.macro_conversion = prior_strengths.macro_conversion
        and rates.micro_conversion = prior_strengths.micro_conversion
        and prior_strengths.level = 'intent_class'
    where rates.intent_class <> '(all)' and rates.visitor_type = '(all)'

),

posteriors_of_segments as (

    select
        rates.*,
        {{ posterior_mean('parents') }} as prior_rate,
        least(
            coalesce(prior_strengths.prior_strength, parents.matured + parents.prior_strength),
            parents.matured + parents.prior_strength
        ) as prior_strength

    from rates
    inner join posteriors_of_intents as parents
        on rates.macro_conversion = parents.macro_conversion
        and rates.micro_conversion = parents.micro_conversion
        and rates.intent_class = parents.intent_class
    left join prior_strengths
        on rates.macro_conversion = prior_strengths.macro_conversion
        and rates.micro_conversion = prior_strengths.micro_conversion
        and prior_strengths.level = 'segment'
    where rates.visitor_type <> '(all)'

),

posteriors as (

    select * from posteriors_of_all

    union all

    select * from posteriors_of_intents

    union all

    select * from posteriors_of_segments

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
    base_conversions,
    base_matured,
    conversions_without,
    matured_without,
    prior_rate,
    prior_strength,
    conversions + prior_rate * prior_strength as successes,
    matured - conversions + (1 - prior_rate) * prior_strength as failures

from posteriors
