-- One row comes back for each date whose funnel does not hold every session once, or in which a
-- later step counts more sessions than the one before it in order.
with

funnels as (

    select
        date,
        sum(sessions) as sessions,
        sum(reached_soft) as reached_soft,
        sum(reached_medium) as reached_medium,
        sum(reached_hard) as reached_hard,
        sum(reached_macro) as reached_macro

    from {{ ref('mart_daily_funnels') }}
    group by date

),

sessions as (

    select
        session_date as date,
        count(*) as sessions

    from {{ ref('mart_sessions') }}
    group by session_date

)

select
    funnels.date,
    funnels.sessions,
    sessions.sessions as expected_sessions

from funnels
full outer join sessions on funnels.date = sessions.date
where
    coalesce(funnels.sessions, -1) <> coalesce(sessions.sessions, 0)
    or funnels.reached_soft > funnels.sessions
    or funnels.reached_medium > funnels.reached_soft
    or funnels.reached_hard > funnels.reached_medium
    or funnels.reached_macro > funnels.reached_hard
