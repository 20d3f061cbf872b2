{{ config(materialized='view') }}

with recursive

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where conversion_type = 'step'

),

funnels as (

    select * from {{ ref('funnels') }}
    where starter_pack = '{{ var("starter_pack") }}'

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

-- one order of events over all devices of a user; within a visit it is that of the visit
events_in_order as (

    select
        conversion_events.session_key,
        conversion_events.conversion as event_name,
        conversion_events.occurred_at,
        coalesce(identities.user_key, conversion_events.visitor_key) as user_key,
        row_number() over (
            partition by coalesce(identities.user_key, conversion_events.visitor_key)
            order by
                conversion_events.occurred_at,
                conversion_events.sequence,
                conversion_events.visitor_key,
                conversion_events.event_number
        ) as event_place

    from conversion_events
    left join identities on conversion_events.visitor_key = identities.visitor_key

),

steps as (

    select
        funnels.funnel,
        funnels.step_number,
        funnels.window_hours,
        events_in_order.session_key,
        events_in_order.user_key,
        events_in_order.occurred_at,
        events_in_order.event_place

    from events_in_order
    inner join funnels on events_in_order.event_name = funnels.event_name

),

-- a session enters with its first first step, a user with the first of each day
entries as (

    select
        'session' as grain,
        funnel,
        window_hours,
        user_key,
        session_key,
        min(event_place) as event_place,
        min(occurred_at) as occurred_at

    from steps
    where step_number = 1
    group by funnel, window_hours, user_key, session_key

    union all

    select
        'user' as grain,
        steps.funnel,
        steps.window_hours,
        steps.user_key,
        min_by(steps.session_key, steps.event_place) as session_key,
        min(steps.event_place) as event_place,
        min(steps.occurred_at) as occurred_at

    from steps
    inner join sessions on steps.session_key = sessions.session_key
    where steps.step_number = 1
    group by steps.funnel, steps.window_hours, steps.user_key, sessions.session_date

),

-- from each step to the first next one behind it, in the same session or by the same user
progress as (

    select
        grain,
        funnel,
        user_key,
        session_key,
        event_place as entry_place,
        {{ dbt.dateadd('hour', 'window_hours', 'occurred_at') }} as window_ends_at,
        1 as step_number,
        event_place,
        occurred_at,
        cast(null as timestamp) as previous_at

    from entries

    union all

    select
        progress.grain,
        progress.funnel,
        progress.user_key,
        progress.session_key,
        progress.entry_place,
        progress.window_ends_at,
        steps.step_number,
        min(steps.event_place) as event_place,
        min(steps.occurred_at) as occurred_at,
        progress.occurred_at as previous_at

    from progress
    inner join steps
        on progress.funnel = steps.funnel
        and progress.user_key = steps.user_key
        and steps.step_number = progress.step_number + 1
        and steps.event_place > progress.event_place
        and steps.occurred_at <= progress.window_ends_at
        and (progress.grain = 'user' or progress.session_key = steps.session_key)
    group by
        progress.grain,
        progress.funnel,
        progress.user_key,
        progress.session_key,
        progress.entry_place,
        progress.window_ends_at,
        progress.occurred_at,
        steps.step_number

)

select
    grain,
    funnel,
    user_key,
    session_key,
    entry_place,
    step_number,
    occurred_at,
    {{ seconds_between('previous_at', 'occurred_at') }} as seconds_to_step,
    lead(step_number) over (
        partition by grain, funnel, user_key, entry_place order by step_number
    ) is not null as continued

from progress
