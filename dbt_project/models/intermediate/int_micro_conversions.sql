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

conversion_rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

bot_sessions as (

    select * from {{ ref('int_bot_sessions') }}

),

-- numbers instead of names: what is grouped below is narrow
rules as (

    select
        *,
        cast(row_number() over (order by conversion) as integer) as rule_number

    from conversion_rules

),

visitors_changed as (

    -- distinct: a visitor is looked up once
    select distinct visitor_key from conversion_events

),

-- what is counted over all visits of a visitor counts on in the visits that changed
occurrences_in_other_visits as (

    select
        other_conversion_events.session_key,
        other_conversion_events.visitor_key,
        rules.rule_number,
        rules.min_occurrences,
        rules.occurrence_scope,
        other_conversion_events.occurred_at,
        other_conversion_events.sequence,
        other_conversion_events.event_number

    from other_conversion_events
    inner join visitors_changed
        on other_conversion_events.visitor_key = visitors_changed.visitor_key
    inner join rules on other_conversion_events.conversion = rules.conversion
    where rules.occurrence_scope = 'visitor' and rules.min_occurrences > 1

),

-- rules about visits are met where the session starts, in front of all its events
session_starts as (

    select
        sessions.session_key,
        sessions.visitor_key,
        rules.rule_number,
        rules.min_occurrences,
        rules.occurrence_scope,
        sessions.started_at as occurred_at,
        cast(-1 as bigint) as sequence,
        0 as event_number,
        cast(sessions.session_number as string) as compared,
        rules.operator,
        rules.threshold

    from sessions
    inner join rules
        on rules.event_name = '(session)'
        and rules.property = 'session_number'

),

starts_qualified as (

    select * from session_starts
    where {{ is_met('compared', 'operator', 'threshold') }}

),

-- of rules that take more than one
occurrences as (

    select
        conversion_events.session_key,
        conversion_events.visitor_key,
        rules.rule_number,
        rules.min_occurrences,
        rules.occurrence_scope,
        conversion_events.occurred_at,
        conversion_events.sequence,
        conversion_events.event_number

    from conversion_events
    inner join rules on conversion_events.conversion = rules.conversion
    where rules.min_occurrences > 1

    union all

    select
        session_key,
        visitor_key,
        rule_number,
        min_occurrences,
        occurrence_scope,
        occurred_at,
        sequence,
        event_number

    from starts_qualified
    where min_occurrences > 1

    union all

    select * from occurrences_in_other_visits

),

occurrences_judged as (

    select
        occurrences.*,
        coalesce(bot_sessions.bot_rule, '(none)') <> '(none)' as is_of_a_machine

    from occurrences
    left join bot_sessions on occurrences.session_key = bot_sessions.session_key

),

-- which occurrence it is, where it takes more than one: what a machine did is none of a person's
occurrences_numbered as (

    select
        *,
        count(case when not is_of_a_machine then 1 end) over (
            partition by
                rule_number,
                visitor_key,
                case when occurrence_scope = 'session' then session_key end
            -- the source's own sessions may hold events of one moment and number
            order by occurred_at, sequence, event_number, session_key
            rows between unbounded preceding and current row
        ) as occurrence_number

    from occurrences_judged

),

-- a machine's visit counts its own besides: a version may take it for a person's
occurrences_counted as (

    select
        *,
        occurrence_number + case
            when is_of_a_machine
                then row_number() over (
                    partition by rule_number, session_key
                    order by occurred_at, sequence, event_number
                )
            else 0
        end as number_that_counts

    from occurrences_numbered

),

-- it is met from the moment at which enough of them have happened
occurrences_met as (

    select
        conversion_events.session_key,
        conversion_events.visitor_key,
        rules.rule_number,
        conversion_events.occurred_at,
        conversion_events.sequence,
        conversion_events.event_number

    from conversion_events
    inner join rules on conversion_events.conversion = rules.conversion
    where rules.min_occurrences = 1

    union all

    select
        session_key,
        visitor_key,
        rule_number,
        occurred_at,
        sequence,
        event_number

    from starts_qualified
    where min_occurrences = 1

    union all

    select
        session_key,
        visitor_key,
        rule_number,
        occurred_at,
        sequence,
        event_number

    from occurrences_counted
    where
        number_that_counts >= min_occurrences
        and {{ changed_since_last_build('session_key') }}

),

-- a session is of one visitor, and its events are numbered as they happened
micro_conversions as (

    select
        session_key,
        rule_number,
        min(visitor_key) as visitor_key,
        min(occurred_at) as occurred_at,
        min_by(sequence, event_number) as sequence,
        min(event_number) as event_number,
        cast(count(*) as integer) as occurrences

    from occurrences_met
    group by session_key, rule_number

)

select
    micro_conversions.session_key,
    rules.conversion as micro_conversion,
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
inner join rules on micro_conversions.rule_number = rules.rule_number
order by micro_conversions.session_key
