{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta={'changed_by': {'column': 'session_key', 'key': 'session_key'}},
    post_hook="{{ remember_changes() }}"
) }}

{#- asked when the model is compiled: few shops count over visits, and all events are many -#}
{%- set counts_over_visits = run_query(
    "select count(*) > 0 from " ~ ref('int_conversion_rules') ~ " where conversion_type = 'micro'"
    ~ " and occurrence_scope = 'visitor' and min_occurrences > 1"
).rows[0][0] if is_incremental() else false %}

with

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where
        conversion_type = 'micro'
        and {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

other_conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where
        conversion_type = 'micro'
        and {{ counts_over_visits }}
        and not {{ changed_since_last_build('session_key') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

-- what is counted over all visits of a visitor counts on in the visits that changed
rules_over_visits as (

    select * from rules
    where occurrence_scope = 'visitor' and min_occurrences > 1

),

visitors_changed as (

    -- distinct: a visitor is looked up once
    select distinct visitor_key from conversion_events

),

occurrences_in_other_visits as (

    select
        other_conversion_events.session_key,
        other_conversion_events.visitor_key,
        other_conversion_events.conversion,
        other_conversion_events.occurred_at,
        other_conversion_events.sequence,
        other_conversion_events.event_number

    from other_conversion_events
    inner join visitors_changed
        on other_conversion_events.visitor_key = visitors_changed.visitor_key
    inner join rules_over_visits
        on other_conversion_events.conversion = rules_over_visits.conversion

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

occurrences as (

    select * from qualified

    union all

    select * from occurrences_in_other_visits

),

-- which occurrence it is, where it takes more than one
occurrences_numbered as (

    select
        occurrences.*,
        rules.min_occurrences,
        row_number() over (
            partition by
                occurrences.conversion,
                occurrences.visitor_key,
                case
                    when rules.occurrence_scope = 'session' then occurrences.session_key
                end
            -- the source's own sessions may hold events of one moment and number
            order by
                occurrences.occurred_at,
                occurrences.sequence,
                occurrences.event_number,
                occurrences.session_key
        ) as occurrence_number

    from occurrences
    inner join rules on occurrences.conversion = rules.conversion
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
    where
        occurrence_number >= min_occurrences
        and {{ changed_since_last_build('session_key') }}

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
order by micro_conversions.session_key
