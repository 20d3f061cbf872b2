{%- set settled_days = [var('attribution_look_back_days') | int, longest_session_days()] | max -%}
{%- set source_days = var('direct_source_look_back_days') | int -%}
{%- set half_of_the_history -%}
    cast({{ seconds_between('min(started_at)', version_moment()) }} / 2 as bigint)
{%- endset -%}
{{ config(tags=['quarterly']) }}

with

all_sessions as (

    select * from {{ ref('int_all_sessions') }}
    where started_at < {{ version_moment() }}

),

bots_then as (

    select * from {{ ref('val_bot_sessions') }}

),

bots_today as (

    select * from {{ ref('int_bot_sessions') }}

),

identities as (

    select * from {{ ref('val_visitor_identities') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

intent_rules as (

    select * from {{ ref('intent_rules') }}

),

-- not as an anti join, for the reason given in int_sessions
sessions as (

    select all_sessions.*

    from all_sessions
    left join bots_then on all_sessions.session_key = bots_then.session_key
    where coalesce(bots_then.bot_rule, '(none)') = '(none)'

),

{% if source_days > 0 %}

    -- those that may run across the version date, and those whose source these may have taken
    last_sessions as (

        select * from all_sessions
        where started_at >= {{ days_before_version(longest_session_days() + source_days) }}

    ),

    visitors_sourced_later as (

        -- distinct: one such session is enough
        select distinct visitor_key from last_sessions
        where sourced_at >= {{ version_moment() }}

    ),

    -- the source's own sessions overlap: one that has no source may have taken one that came later
    sessions_without_source as (

        select last_sessions.*

        from last_sessions
        inner join visitors_sourced_later
            on last_sessions.visitor_key = visitors_sourced_later.visitor_key
        where
            last_sessions.started_at >= {{ days_before_version(longest_session_days()) }}
            and coalesce(last_sessions.sourced_at >= {{ version_moment() }}, true)

    ),

    -- as in int_all_sessions: the last source that was known by then, if that is recent enough
    sources_then as (

        select
            sessions_without_source.session_key,
            coalesce(max_by(earlier.source, earlier.session_number), '(direct)') as source,
            coalesce(max_by(earlier.medium, earlier.session_number), '(none)') as medium,
            coalesce(max_by(earlier.campaign, earlier.session_number), '(not set)') as campaign

        from sessions_without_source
        left join last_sessions as earlier
            on sessions_without_source.visitor_key = earlier.visitor_key
            and sessions_without_source.session_number > earlier.session_number
            and sessions_without_source.started_at
            <= {{ dbt.dateadd('day', source_days, 'earlier.started_at') }}
            and earlier.sourced_at < {{ version_moment() }}
        group by sessions_without_source.session_key

    ),

{% else %}

    sources_then as (

        select
            session_key,
            '(direct)' as source,
            '(none)' as medium,
            '(not set)' as campaign

        from sessions
        where sourced_at >= {{ version_moment() }}

    ),

{% endif %}

-- int_traffic_sources does not know where machines came from
sources_of_bots_since as (

    select
        sessions.session_key,
        sessions.source,
        sessions.medium,
        sessions.campaign

    from sessions
    inner join bots_today on sessions.session_key = bots_today.session_key
    left join sources_then on sessions.session_key = sources_then.session_key
    where sources_then.session_key is null

),

sources_told as (

    select * from sources_then

    union all

    select * from sources_of_bots_since

),

-- told by the rules: perhaps no session has that source today
intent_classes_then as (

    select
        sources_told.session_key,
        coalesce(min_by(intent_rules.intent_class, intent_rules.rule_order), 'other')
            as intent_class

    from sources_told
    left join intent_rules on {{ meets_intent_rule('sources_told', 'intent_rules') }}
    group by sources_told.session_key

),

-- a session is settled when its credit is, and when it has ended before the version date. A history
-- too short for that is halved: some time to convert for some sessions, rather than no session
settling as (

    select
        least(
            greatest(
                {{ days_before_version(settled_days) }},
                {{ dbt.dateadd('second', half_of_the_history, 'min(started_at)') }}
            ),
            {{ days_before_version(longest_session_days()) }}
        ) as settled_until

    from sessions

)

-- what gave the source only from the version date on is not known yet. Read is also who shares the
-- credit of a macro with a settled session: what the look-back reaches, and the macro's own session
select
    sessions.session_key,
    sessions.visitor_key,
    sessions.started_at,
    coalesce(identities.user_key, sessions.visitor_key) as user_key,
    coalesce(intent_classes_then.intent_class, traffic_sources.intent_class) as intent_class,
    sessions.visitor_type,
    sessions.session_number,
    sessions.started_at >= {{ days_before_version(var('look_back_days')) }} as is_in_look_back,
    sessions.started_at < settling.settled_until
    and sessions.started_at >= {{ days_before_version(
        var('look_back_days') | int + settled_days
    ) }} as is_settled

from sessions
cross join settling
left join identities on sessions.visitor_key = identities.visitor_key
left join intent_classes_then on sessions.session_key = intent_classes_then.session_key
left join traffic_sources
    on sessions.source = traffic_sources.source
    and sessions.medium = traffic_sources.medium
    and sessions.campaign = traffic_sources.campaign
where sessions.started_at >= {{ days_before_version(
    var('look_back_days') | int + settled_days + settled_days
) }}
