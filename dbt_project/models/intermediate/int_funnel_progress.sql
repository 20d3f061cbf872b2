{{ config(
    materialized='incremental',
    incremental_strategy='replace_users',
    meta={'changed_by': ['session_key', 'reached_in_session_key']},
    post_hook="{{ remember_changes() }}"
) }}

{#- a change is a step of entries whose window reaches it, and of none before: twice so far back, as
    an entry whose later step changed may begin what other entries go on from -#}
{%- set days = days_before_a_step() -%}

with recursive

conversion_events as (

    select * from {{ ref('int_conversion_events') }}
    where
        conversion_type = 'step'
        and occurred_at >= date '{{ first_date_changed(2 * days + 1) }}'

),

funnels as (

    select * from {{ ref('funnels') }}
    where starter_pack = '{{ var("starter_pack") }}'

),

all_sessions_of_users as (

    select * from {{ ref('int_sessions_of_users') }}
    where session_date >= date '{{ first_date_changed(2 * days) }}'

),

{% if is_incremental() %}

    changes as (

        select
            user_key,
            session_date as date

        from all_sessions_of_users
        where {{ changed_since_last_build('session_key') }}

        union all

        select
            kept.user_key,
            kept.date

        from {{ this }} as kept
        where
            kept.date >= date '{{ first_date_changed(days) }}'
            and (
                {{ changed_since_last_build('kept.session_key') }}
                or {{ changed_since_last_build('kept.reached_in_session_key') }}
            )

    ),

    touched as (

        select
            user_key,
            cast({{ dbt.dateadd('day', -days, 'min(date)') }} as date) as touched_from

        from changes
        group by user_key

    ),

    sessions_of_users as (

        select
            all_sessions_of_users.*,
            touched.touched_from

        from all_sessions_of_users
        inner join touched
            on all_sessions_of_users.user_key = touched.user_key
            and all_sessions_of_users.session_date >= touched.touched_from

    ),

{% else %}

    sessions_of_users as (

        select * from all_sessions_of_users

    ),

{% endif %}

steps as (

    select
        funnels.funnel,
        funnels.step_number,
        funnels.window_hours,
        sessions_of_users.user_key,
        sessions_of_users.session_key,
        conversion_events.visitor_key,
        conversion_events.occurred_at,
        conversion_events.sequence,
        conversion_events.event_number

    from conversion_events
    inner join sessions_of_users on conversion_events.session_key = sessions_of_users.session_key
    inner join funnels on conversion_events.conversion = funnels.event_name

),

-- a session enters with its first first step
entries_of_sessions as (

    select
        funnel,
        window_hours,
        user_key,
        session_key,
        min(occurred_at) as occurred_at

    from steps
    where step_number = 1
    group by funnel, window_hours, user_key, session_key

),

entries_described as (

    select
        entries_of_sessions.*,
        sessions_of_users.session_date as date,
        sessions_of_users.channel_group,
        {% if is_incremental() %}
            sessions_of_users.touched_from,
        {% endif %}
        row_number() over (
            partition by
                entries_of_sessions.funnel,
                entries_of_sessions.user_key,
                sessions_of_users.session_date
            order by entries_of_sessions.occurred_at, entries_of_sessions.session_key
        ) as entry_of_day

    from entries_of_sessions
    inner join sessions_of_users
        on entries_of_sessions.session_key = sessions_of_users.session_key

),

-- a user enters with the first session of each day that does
entries as (

    select
        'session' as grain,
        *

    from entries_described

    union all

    select
        'user' as grain,
        *

    from entries_described
    where entry_of_day = 1

),

-- most users take a first step only: those need no order of events
users_going_on as (

    -- distinct: a user is looked up once
    select distinct
        funnel,
        user_key

    from steps
    where step_number > 1

),

-- one order of events over all devices of a user; within a visit it is that of the visit. An event
-- that is two steps of a funnel has one place
steps_in_order as (

    select
        steps.*,
        rank() over (
            partition by steps.user_key
            order by steps.occurred_at, steps.sequence, steps.visitor_key, steps.event_number
        ) as event_place

    from steps
    inner join users_going_on
        on steps.funnel = users_going_on.funnel
        and steps.user_key = users_going_on.user_key

),

places_of_entries as (

    select
        funnel,
        session_key,
        min(event_place) as event_place

    from steps_in_order
    where step_number = 1
    group by funnel, session_key

),

-- from each step to the first next one behind it, in the same session or by the same user
progress as (

    select
        entries.grain,
        entries.funnel,
        entries.user_key,
        entries.session_key,
        {{ dbt.dateadd('hour', 'entries.window_hours', 'entries.occurred_at') }} as window_ends_at,
        1 as step_number,
        entries.session_key as reached_in_session_key,
        places_of_entries.event_place,
        entries.occurred_at,
        cast(null as timestamp) as previous_at

    from entries
    inner join places_of_entries
        on entries.funnel = places_of_entries.funnel
        and entries.session_key = places_of_entries.session_key

    union all

    select
        progress.grain,
        progress.funnel,
        progress.user_key,
        progress.session_key,
        progress.window_ends_at,
        steps.step_number,
        min_by(steps.session_key, steps.event_place) as reached_in_session_key,
        min(steps.event_place) as event_place,
        min(steps.occurred_at) as occurred_at,
        progress.occurred_at as previous_at

    from progress
    inner join steps_in_order as steps
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
        progress.window_ends_at,
        progress.occurred_at,
        steps.step_number

),

progress_followed as (

    select
        grain,
        funnel,
        session_key,
        reached_in_session_key,
        step_number,
        {{ seconds_between('previous_at', 'occurred_at') }} as seconds_to_step,
        lead(step_number) over (
            partition by grain, funnel, session_key order by step_number
        ) is not null as continued

    from progress

)

select
    entries.grain,
    entries.funnel,
    entries.user_key,
    entries.session_key,
    coalesce(followed.reached_in_session_key, entries.session_key) as reached_in_session_key,
    entries.date,
    entries.channel_group,
    coalesce(followed.step_number, 1) as step_number,
    cast(followed.seconds_to_step as double) as seconds_to_step,
    {% if is_incremental() %}
        entries.touched_from,
    {% endif %}
    coalesce(followed.continued, false) as continued

from entries
left join progress_followed as followed
    on entries.grain = followed.grain
    and entries.funnel = followed.funnel
    and entries.session_key = followed.session_key
order by entries.session_key
