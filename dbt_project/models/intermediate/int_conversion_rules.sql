{{ config(materialized='view') }}

with

micro_conversions as (

    select * from {{ ref('micro_conversions') }}
    where is_enabled and starter_pack = '{{ var("starter_pack") }}'

),

macro_conversions as (

    select * from {{ ref('macro_conversions') }}
    where is_enabled and starter_pack = '{{ var("starter_pack") }}'

),

free_mail_domains as (

    select * from {{ ref('free_mail_domains') }}

),

-- what a business address is compared with: all free providers as one text between bars
free_providers as (

    select '|' || {{ joined_texts('lower(domain)') }} || '|' as domains

    from free_mail_domains

),

micro_rules as (

    select
        micro_conversions.*,
        case
            when micro_conversions.operator = 'is_business_email'
                then coalesce(free_providers.domains, '')
            else micro_conversions.threshold
        end as rule_threshold

    from micro_conversions
    cross join free_providers

),

-- distinct: an event may be a step of several funnels
funnel_events as (

    select distinct event_name from {{ ref('funnels') }}
    where starter_pack = '{{ var("starter_pack") }}'

),

rules as (

    select
        'micro' as conversion_type,
        micro_conversion as conversion,
        event_name,
        property,
        operator,
        rule_threshold as threshold,
        cast(min_occurrences as integer) as min_occurrences,
        occurrence_scope,
        counting,
        kind,
        phase,
        tier,
        cast(case tier when 'soft' then 1 when 'medium' then 2 else 3 end as integer) as tier_rank,
        cast(weight as double) as weight,
        {{ state_item_key('micro_conversion') }} as state_item_key,
        cast(null as string) as value_source,
        cast(null as decimal(18, 4)) as fixed_value,
        cast(null as decimal(18, 4)) as default_value

    from micro_rules

    union all

    select
        'macro' as conversion_type,
        macro_conversion as conversion,
        event_name,
        null as property,
        null as operator,
        null as threshold,
        1 as min_occurrences,
        'session' as occurrence_scope,
        counting,
        null as kind,
        'conversion' as phase,
        'macro' as tier,
        4 as tier_rank,
        cast(1 as double) as weight,
        {{ state_item_key("'macro:' || macro_conversion") }} as state_item_key,
        value_source,
        cast(fixed_value as decimal(18, 4)) as fixed_value,
        cast(default_value as decimal(18, 4)) as default_value

    from macro_conversions

    union all

    -- the event that gives a goal's money back
    select
        'refund' as conversion_type,
        macro_conversion as conversion,
        refund_event_name as event_name,
        null as property,
        null as operator,
        null as threshold,
        1 as min_occurrences,
        'session' as occurrence_scope,
        'every' as counting,
        null as kind,
        null as phase,
        null as tier,
        cast(null as integer) as tier_rank,
        cast(null as double) as weight,
        cast(null as bigint) as state_item_key,
        value_source,
        cast(null as decimal(18, 4)) as fixed_value,
        cast(null as decimal(18, 4)) as default_value

    from macro_conversions
    where refund_event_name is not null

    union all

    -- any event of that name is the step; a funnel puts the steps in order
    select
        'step' as conversion_type,
        event_name as conversion,
        event_name,
        null as property,
        null as operator,
        null as threshold,
        1 as min_occurrences,
        'session' as occurrence_scope,
        'every' as counting,
        null as kind,
        null as phase,
        'step' as tier,
        0 as tier_rank,
        cast(0 as double) as weight,
        cast(0 as bigint) as state_item_key,
        null as value_source,
        cast(null as decimal(18, 4)) as fixed_value,
        cast(null as decimal(18, 4)) as default_value

    from funnel_events

)

-- a session's start is no event, so it needs no bit
select
    *,
    case
        when event_name <> '(session)'
            then {{ bit_number(
                "row_number() over (order by event_name = '(session)', conversion_type, conversion)"
            ) }}
    end as rule_bit

from rules
