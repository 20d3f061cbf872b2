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

-- which occurrence it is, where it takes more than one
occurrences_numbered as (

    select
        qualified.*,
        rules.min_occurrences,
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
    where rules.min_occurrences > 1

),

-- it is met from the moment at which enough of them have happened
occurrences_met as (

    select
        qualified.session_key,
        qualified.visitor_key,
        qualified.conversion,
        qualified.occurred_at,
        qualified.sequence,
        qualified.event_number

    from qualified
    inner join rules on qualified.conversion = rules.conversion
    where rules.min_occurrences = 1

    union all

    select
        session_key,
        visitor_key,
        conversion,
        occurred_at,
        sequence,
        event_number

    from occurrences_numbered
    where occurrence_number >= min_occurrences

),

micro_conversions as (

    select
        session_key,
        visitor_key,
        conversion,
        min_by(occurred_at, event_number) as occurred_at,
        min_by(sequence, event_number) as sequence,
        min(event_number) as event_number,
        cast(count(*) as integer) as occurrences

    from occurrences_met
    group by session_key, visitor_key, conversion

)

select
    micro_conversions.session_key,
    micro_conversions.conversion as micro_conversion,
    micro_conversions.visitor_key,
    rules.tier,
    rules.tier_rank,
    rules.phase,
    rules.kind,
    rules.weight,
    rules.state_item_key,
    micro_conversions.occurred_at,
    micro_conversions.sequence,
    micro_conversions.event_number,
    micro_conversions.occurrences,
    case when rules.counting = 'every' then micro_conversions.occurrences else 1 end
        as counted_occurrences

from micro_conversions
inner join rules on micro_conversions.conversion = rules.conversion
