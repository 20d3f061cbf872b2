{{ config(materialized='view') }}

with

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

session_credits as (

    select * from {{ ref('int_session_credits') }}

),

session_steps as (

    select * from {{ ref('val_session_steps') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

-- keys instead of names: what goes through the windows below is narrow
sessions_keyed as (

    select
        sessions.session_key,
        sessions.started_at,
        sessions.session_date,
        coalesce(identities.user_key, sessions.visitor_key) as user_key,
        {{ internal_key([
            'coalesce(sessions.source_channel_group, traffic_sources.channel_group)'
        ]) }} as channel_key,
        coalesce(sessions.source_channel_group, traffic_sources.channel_group) = 'Direct'
            as is_direct

    from sessions
    left join identities on sessions.visitor_key = identities.visitor_key
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign

),

-- most sessions share with nobody: those that do not travel through no window below
sessions_in_company as (

    select
        *,
        coalesce(
            lag(started_at) over user_in_order >= {{ dbt.dateadd(
                'day', '-' ~ var('attribution_look_back_days'), 'started_at'
            ) }}
            or lead(started_at) over user_in_order = started_at,
            false
        ) as has_company

    from sessions_keyed
    window user_in_order as (partition by user_key order by started_at, session_key)

),

-- what the micro-conversions of a session add; the macro's own step is revenue, not micro value
micros_of_sessions as (

    select
        session_key,
        sum(incremental_value) as micro_value

    from session_steps
    where step_number > 0 and item <> '(macro)'
    group by session_key

),

micro_sessions as (

    select
        sessions_in_company.session_key,
        sessions_in_company.user_key,
        sessions_in_company.started_at,
        sessions_in_company.session_date,
        sessions_in_company.has_company,
        micros_of_sessions.micro_value

    from micros_of_sessions
    inner join sessions_in_company
        on micros_of_sessions.session_key = sessions_in_company.session_key

),

touches as (

    select
        true as is_macro,
        session_credits.event_key as conversion_key,
        macro_conversions.state_item_key as goal_key,
        {{ reporting_date('session_credits.macro_at') }} as conversion_date,
        macro_conversions.value as amount,
        session_credits.share as weight,
        sessions_keyed.session_key,
        sessions_keyed.started_at,
        sessions_keyed.channel_key,
        sessions_keyed.is_direct

    from session_credits
    inner join macro_conversions
        on session_credits.event_key = macro_conversions.event_key
        and session_credits.macro_conversion = macro_conversions.macro_conversion
    inner join sessions_keyed on session_credits.session_key = sessions_keyed.session_key

    union all

    select
        false as is_macro,
        micro_sessions.session_key as conversion_key,
        0 as goal_key,
        micro_sessions.session_date as conversion_date,
        micro_sessions.micro_value as amount,
        {{ attribution_weight('sessions_keyed.started_at', 'micro_sessions.started_at') }}
            as weight,
        sessions_keyed.session_key,
        sessions_keyed.started_at,
        sessions_keyed.channel_key,
        sessions_keyed.is_direct

    from micro_sessions
    inner join sessions_keyed
        on micro_sessions.user_key = sessions_keyed.user_key
        and {{ shares_the_credit(
            'sessions_keyed.started_at',
            'sessions_keyed.session_key',
            'micro_sessions.started_at',
            'micro_sessions.session_key'
        ) }}
    where micro_sessions.has_company

),

touches_numbered as (

    select
        *,
        row_number() over (
            partition by conversion_key, goal_key order by started_at desc, session_key asc
        ) as touch_from_last,
        count(*) over (partition by conversion_key, goal_key) as touches,
        sum(weight) over (
            partition by conversion_key, goal_key order by started_at desc, session_key asc
            rows between unbounded preceding and unbounded following
        ) as weights,
        count(*) over (partition by conversion_key, goal_key, channel_key) as touches_of_channel

    from touches

),

touches_of_paths as (

    select
        *,
        min(case when not is_direct then touch_from_last end) over (
            partition by conversion_key, goal_key
        ) as last_non_direct,
        round(sum(1.0 / touches_of_channel) over (partition by conversion_key, goal_key))
            as channels

    from touches_numbered

)

select
    is_macro,
    conversion_key,
    goal_key,
    conversion_date,
    session_key,
    amount,
    touch_from_last,
    touches,
    case when touch_from_last = touches then 1.0 else 0.0 end as share_first,
    case when touch_from_last = 1 then 1.0 else 0.0 end as share_last,
    case when touch_from_last = coalesce(last_non_direct, 1) then 1.0 else 0.0 end
        as share_last_non_direct,
    1.0 / touches as share_linear,
    case
        when touches <= 2 then 1.0 / touches
        when touch_from_last in (1, touches) then 0.4
        else 0.2 / (touches - 2)
    end as share_position,
    case when is_macro then weight else weight / weights end as share_time_decay,
    1.0 / (channels * touches_of_channel) as share_shapley

from touches_of_paths

union all

select
    false as is_macro,
    session_key as conversion_key,
    0 as goal_key,
    session_date as conversion_date,
    session_key,
    micro_value as amount,
    1 as touch_from_last,
    1 as touches,
    1.0 as share_first,
    1.0 as share_last,
    1.0 as share_last_non_direct,
    1.0 as share_linear,
    1.0 as share_position,
    1.0 as share_time_decay,
    1.0 as share_shapley

from micro_sessions
where not has_company
