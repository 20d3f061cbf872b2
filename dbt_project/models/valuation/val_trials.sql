{% set scope = 'session_key' if var('conversion_scope') == 'session' else 'user_key' -%}
{% set unit = 'user_key' if var('trial_unit') == 'user' else 'session_key' -%}
{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('val_sessions') }}
    where is_in_look_back

),

identities as (

    select * from {{ ref('val_visitor_identities') }}

),

micro_conversions as (

    select * from {{ ref('val_micro_conversions') }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

macros_of_users as (

    select
        macro_conversions.macro_conversion,
        macro_conversions.session_key,
        macro_conversions.occurred_at,
        macro_conversions.sequence,
        macro_conversions.event_number,
        coalesce(identities.user_key, macro_conversions.visitor_key) as user_key

    from macro_conversions
    left join identities on macro_conversions.visitor_key = identities.visitor_key

),

-- a success is looked for among the macros of the same user, or of the same session only
macros_of_scopes as (

    select
        macro_conversion,
        {{ scope }} as scope_key,
        occurred_at,
        sequence,
        event_number

    from macros_of_users

),

scopes_with_macro as (

    -- distinct: who had any macro at all
    select distinct scope_key from macros_of_scopes

),

sessions_of_scopes as (

    select
        sessions.session_key,
        sessions.user_key,
        sessions.intent_class,
        sessions.visitor_type,
        sessions.session_number,
        sessions.started_at,
        scopes_with_macro.scope_key

    from sessions
    left join scopes_with_macro on sessions.{{ scope }} = scopes_with_macro.scope_key

),

-- every session is a trial of `(session)`, which gives the base rate, and of each micro it met
moments as (

    select
        session_key,
        '(session)' as micro_conversion,
        started_at as trial_at,
        cast(-1 as bigint) as sequence,
        0 as event_number

    from sessions

    union all

    select
        session_key,
        micro_conversion,
        occurred_at as trial_at,
        sequence,
        event_number

    from micro_conversions

),

candidates as (

    select
        moments.*,
        sessions.user_key,
        sessions.scope_key,
        sessions.intent_class,
        sessions.visitor_type,
        sessions.session_number,
        sessions.{{ unit }} as unit_key

    from moments
    inner join sessions_of_scopes as sessions on moments.session_key = sessions.session_key

),

-- of a user the first one counts; of a session there is no other. Several sessions of a user may
-- begin at one moment
candidates_numbered as (

    select
        *,
        {% if var('trial_unit') == 'user' %}
            row_number() over (
                partition by micro_conversion, unit_key
                order by trial_at, sequence, event_number, session_number, session_key
            ) as trial_number
        {% else %}
            1 as trial_number
        {% endif %}

    from candidates

),

trials_of_goals as (

    select
        goals.macro_conversion,
        candidates_numbered.*

    from candidates_numbered
    cross join goals
    where candidates_numbered.trial_number = 1

),

-- trials and macros of one user (or session) on one line, in event order. Most never had a macro:
-- their trials need no order
timeline as (

    select
        macro_conversion,
        scope_key,
        micro_conversion,
        unit_key,
        user_key,
        session_key,
        intent_class,
        visitor_type,
        trial_at,
        sequence,
        event_number,
        cast(null as timestamp) as macro_at

    from trials_of_goals
    where scope_key is not null

    union all

    select
        macro_conversion,
        scope_key,
        null as micro_conversion,
        null as unit_key,
        null as user_key,
        null as session_key,
        null as intent_class,
        null as visitor_type,
        occurred_at as trial_at,
        sequence,
        event_number,
        occurred_at as macro_at

    from macros_of_scopes

),

-- a macro that is the very event of the trial does not come later than it
timeline_with_next_macro as (

    select
        *,
        min(macro_at) over (
            partition by macro_conversion, scope_key
            order by trial_at asc, sequence asc, event_number asc, macro_at asc nulls last
            rows between 1 following and unbounded following
        ) as next_macro_at

    from timeline

),

trials as (

    select
        macro_conversion,
        micro_conversion,
        unit_key,
        user_key,
        session_key,
        intent_class,
        visitor_type,
        trial_at,
        case
            when next_macro_at <= {{ dbt.dateadd(
                'second', (var('horizon_days') | float * 86400) | round | int, 'trial_at'
            ) }}
                then next_macro_at
        end as macro_at

    from timeline_with_next_macro
    where macro_at is null

    union all

    select
        macro_conversion,
        micro_conversion,
        unit_key,
        user_key,
        session_key,
        intent_class,
        visitor_type,
        trial_at,
        null as macro_at

    from trials_of_goals
    where scope_key is null

)

-- ages and delays stop at the horizon: what lies behind it is not observed
select
    macro_conversion,
    micro_conversion,
    unit_key,
    user_key,
    session_key,
    intent_class,
    visitor_type,
    macro_at,
    cast(
        least(
            floor({{ seconds_between('trial_at', version_moment()) }} / 3600.0),
            {{ horizon_hours() }}
        ) as integer
    ) as age_hours,
    case
        when macro_at is not null
            then cast(
                least(
                    floor({{ seconds_between('trial_at', 'macro_at') }} / 3600.0),
                    greatest({{ horizon_hours() }} - 1, 0)
                ) as integer
            )
    end as delay_hours

from trials
