{{ config(
    materialized='incremental',
    incremental_strategy='replace_users',
    meta={'changed_by': ['session_key', 'reached_in_session_key']},
    post_hook="{{ remember_changes() }}"
) }}

{#- a change is a step of entries whose window reaches it, and of none before: twice so far back, as
    an entry whose later step changed may begin what other entries go on from -#}
{%- set days = days_before_a_step() -%}
{%- set most_steps = 'select max(step_number) - 1 from ' ~ ref('funnels') -%}
{%- set first_steps -%}
    select
        grain,
        funnel,
        user_key,
        session_key,
        window_ends_at,
        step_number,
        session_key as reached_in_session_key,
        event_place,
        occurred_at,
        cast(null as timestamp) as previous_at

    from entries_in_order
{%- endset -%}
{#- from each step to the first next one behind it, in the same session or by the same user -#}
{%- set next_steps -%}
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
{%- endset %}

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
    where session_date >= date '{{ first_date_changed(2 * days) }}' and {{ computed_once() }}

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
        where {{ computed_once() }}

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
        conversion_events.session_key,
        conversion_events.occurred_at,
        conversion_events.sequence,
        conversion_events.event_number

    from conversion_events
    inner join funnels on conversion_events.conversion = funnels.event_name
    {% if is_incremental() %}
        where
            conversion_events.session_key in (
                select sessions_of_users.session_key from sessions_of_users
            )
    {% endif %}

),

-- a session enters with its first first step
entries_of_sessions as (

    select
        funnel,
        window_hours,
        session_key,
        min(occurred_at) as occurred_at,
        min_by(sequence, event_number) as sequence,
        min(event_number) as event_number

    from steps
    where step_number = 1
    group by funnel, window_hours, session_key

),

entries_described as (

    select
        entries_of_sessions.*,
        sessions_of_users.user_key,
        sessions_of_users.visitor_key,
        sessions_of_users.session_date as date,
        sessions_of_users.channel_group,
        {% if is_incremental() %}
            sessions_of_users.touched_from,
        {% endif %}
        row_number() over (
            partition by
                entries_of_sessions.funnel,
                sessions_of_users.user_key,
                sessions_of_users.session_date
            order by entries_of_sessions.occurred_at, entries_of_sessions.session_key
        ) = 1 as is_first_of_day

    from entries_of_sessions
    inner join sessions_of_users
        on entries_of_sessions.session_key = sessions_of_users.session_key
    where {{ computed_once() }}

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
    where is_first_of_day

),

later_steps as (

    select
        steps.funnel,
        steps.step_number,
        steps.session_key,
        steps.occurred_at,
        steps.sequence,
        steps.event_number,
        sessions_of_users.user_key,
        sessions_of_users.visitor_key

    from steps
    inner join sessions_of_users on steps.session_key = sessions_of_users.session_key
    where steps.step_number > 1 and {{ computed_once() }}

),

-- most users take a first step only: those need no order of events
users_going_on as (

    -- distinct: a user is looked up once
    select distinct
        funnel,
        user_key

    from later_steps

),

steps_to_follow as (

    select
        entries_described.funnel,
        1 as step_number,
        entries_described.session_key,
        entries_described.occurred_at,
        entries_described.sequence,
        entries_described.event_number,
        entries_described.user_key,
        entries_described.visitor_key,
        entries_described.window_hours,
        entries_described.is_first_of_day

    from entries_described
    inner join users_going_on
        on entries_described.funnel = users_going_on.funnel
        and entries_described.user_key = users_going_on.user_key

    union all

    select
        *,
        null as window_hours,
        false as is_first_of_day

    from later_steps

),

-- one order of events over all devices of a user; within a visit it is that of the visit. An event
-- that is two steps of a funnel has one place
steps_in_order as (

    select
        funnel,
        step_number,
        user_key,
        session_key,
        occurred_at,
        {{ dbt.dateadd('hour', 'window_hours', 'occurred_at') }} as window_ends_at,
        is_first_of_day,
        rank() over (
            partition by user_key order by occurred_at, sequence, visitor_key, event_number
        ) as event_place

    from steps_to_follow
    where {{ computed_once() }}

),

entries_in_order as (

    select
        'session' as grain,
        *

    from steps_in_order
    where step_number = 1

    union all

    select
        'user' as grain,
        *

    from steps_in_order
    where step_number = 1 and is_first_of_day

),

progress as (

    {{ step_by_step('progress', first_steps, next_steps, most_steps) }}

),

furthest_steps as (

    select
        grain,
        funnel,
        session_key,
        max(step_number) as step_number

    from progress
    where step_number > 1
    group by grain, funnel, session_key

),

entries_followed as (

    select
        entries.*,
        furthest_steps.step_number as furthest_step

    from entries
    left join furthest_steps
        on entries.grain = furthest_steps.grain
        and entries.funnel = furthest_steps.funnel
        and entries.session_key = furthest_steps.session_key

)

select
    grain,
    funnel,
    user_key,
    session_key,
    session_key as reached_in_session_key,
    date,
    channel_group,
    1 as step_number,
    cast(null as double) as seconds_to_step,
    {% if is_incremental() %}
        touched_from,
    {% endif %}
    furthest_step is not null as continued

from entries_followed

union all

select
    entries.grain,
    entries.funnel,
    entries.user_key,
    entries.session_key,
    progress.reached_in_session_key,
    entries.date,
    entries.channel_group,
    progress.step_number,
    cast({{ seconds_between('progress.previous_at', 'progress.occurred_at') }} as double)
        as seconds_to_step,
    {% if is_incremental() %}
        entries.touched_from,
    {% endif %}
    progress.step_number < entries.furthest_step as continued

from progress
inner join entries_followed as entries
    on progress.grain = entries.grain
    and progress.funnel = entries.funnel
    and progress.session_key = entries.session_key
where progress.step_number > 1

order by session_key
