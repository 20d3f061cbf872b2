with

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where conversion_type = 'micro'

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

-- rules about visits are met where the session starts, in front of all its events
session_starts as (

    select
        sessions.session_key,
        sessions.visitor_key,
        rules.conversion,
        sessions.started_at as occurred_at,
        cast(-1 as bigint) as sequence,
        0 as event_number,
        cast(sessions.session_number as varchar) as compared,
        rules.operator,
        rules.threshold

    from sessions
    inner join rules
        on rules.event_name = '(session)'
        and rules.property = 'session_number'

),

qualified as (

    select
        session_key,
        visitor_key,
        conversion,
        occurred_at,
        sequence,
        event_number

    from conversion_events

    union all

    select
        session_key,
        visitor_key,
        conversion,
        occurred_at,
        sequence,
        event_number

    from session_starts
    where {{ is_met('compared', 'operator', 'threshold') }}

),

-- which occurrence it is, where the rule counts them
occurrences_numbered as (

    select
        qualified.*,
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
                qualified.conversion,
                qualified.visitor_key,
                case
                    when rules.occurrence_scope = 'session' then qualified.session_key
                end
            order by
                qualified.occurred_at,
                qualified.event_number
        ) as occurrence_number

    from qualified
    inner join rules on qualified.conversion = rules.conversion

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
