with

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where conversion_type = 'micro'

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

-- which occurrence it is, where the rule counts them
occurrences_numbered as (

    select
        conversion_events.*,
        rules.min_occurrences,
        rules.counting,
        rules.tier,
        rules.tier_rank,
        rules.phase,
        rules.kind,
        rules.weight,
        rules.state_item_key,
        row_number() over (
            partition by
                conversion_events.conversion,
                conversion_events.visitor_key,
                case
                    when rules.occurrence_scope = 'session' then conversion_events.session_key
                end
            order by
                conversion_events.occurred_at,
                conversion_events.event_number
        ) as occurrence_number

    from conversion_events
    inner join rules on conversion_events.conversion = rules.conversion

),

-- it is met from the moment at which enough of them have happened
occurrences_met as (

    select * from occurrences_numbered
    where occurrence_number >= min_occurrences

)

select
    session_key,
    conversion as micro_conversion,
    visitor_key,
    tier,
    tier_rank,
    phase,
    kind,
    weight,
    state_item_key,
    min_by(occurred_at, event_number) as occurred_at,
    min_by(sequence, event_number) as sequence,
    min(event_number) as event_number,
    cast(count(*) as integer) as occurrences,
    cast(max(case when counting = 'every' then 1 else 0 end) * (count(*) - 1) + 1 as integer)
        as counted_occurrences

from occurrences_met
group by
    session_key, conversion, visitor_key, tier, tier_rank, phase, kind, weight, state_item_key
