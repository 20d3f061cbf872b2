with

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

-- distinct: a session with two orders ends one path
converting_sessions as (

    select distinct session_key from macro_conversions

),

sessions_of_users as (

    select
        sessions.session_key,
        sessions.started_at,
        sessions.session_date,
        coalesce(identities.user_key, sessions.visitor_key) as user_key,
        coalesce(sessions.source_channel_group, traffic_sources.channel_group) as channel_group,
        converting_sessions.session_key is not null as converts

    from sessions
    left join identities on sessions.visitor_key = identities.visitor_key
    left join converting_sessions on sessions.session_key = converting_sessions.session_key
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign

),

sessions_in_order as (

    select
        *,
        lag(started_at) over (partition by user_key order by started_at, session_key)
            as previous_at,
        lag(converts) over (partition by user_key order by started_at, session_key)
            as previous_converts

    from sessions_of_users

),

-- a path ends with a macro-conversion, or when nothing more comes within the look-back
paths_numbered as (

    select
        *,
        sum(
            case
                when previous_at is null or previous_converts then 1
                when previous_at < {{ dbt.dateadd(
                    'day', '-' ~ var('attribution_look_back_days'), 'started_at'
                ) }} then 1
                else 0
            end
        ) over (partition by user_key order by started_at, session_key) as path_number

    from sessions_in_order

),

touches_of_paths as (

    select
        session_date,
        channel_group,
        converts,
        lag(channel_group) over (
            partition by user_key, path_number order by started_at, session_key
        ) as previous_channel,
        lead(channel_group) over (
            partition by user_key, path_number order by started_at, session_key
        ) as next_channel,
        max(session_date) over (partition by user_key, path_number) as ended_on

    from paths_numbered

),

steps as (

    select
        ended_on,
        '(start)' as from_state,
        channel_group as to_state

    from touches_of_paths
    where previous_channel is null

    union all

    select
        ended_on,
        channel_group as from_state,
        coalesce(next_channel, case when converts then '(conversion)' else '(null)' end) as to_state

    from touches_of_paths

)

select
    cast({{ dbt.date_trunc('month', 'ended_on') }} as date) as month,
    from_state,
    to_state,
    count(*) as steps

from steps
group by cast({{ dbt.date_trunc('month', 'ended_on') }} as date), from_state, to_state
