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

    select * from {{ ref('int_micro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}
    where occurred_at < {{ version_moment() }}

),

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

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
        sessions.intent_class,
        sessions.visitor_type,
        {{ 'sessions.user_key' if var('trial_unit') == 'user' else 'sessions.session_key' }}
            as unit_key

    from moments
    inner join sessions on moments.session_key = sessions.session_key

),

-- of a user the first one counts; of a session there is no other
candidates_numbered as (

    select
        *,
        {% if var('trial_unit') == 'user' %}
            row_number() over (
                partition by micro_conversion, unit_key order by trial_at, sequence, event_number
            ) as trial_number
        {% else %}
            1 as trial_number
        {% endif %}

    from candidates

),

-- trials and macros of one user (or session) on one line, in event order
timeline as (

    select
        goals.macro_conversion,
        candidates_numbered.session_key,
        candidates_numbered.micro_conversion,
        candidates_numbered.unit_key,
        candidates_numbered.intent_class,
        candidates_numbered.visitor_type,
        candidates_numbered.user_key,
        candidates_numbered.trial_at as occurred_at,
        candidates_numbered.sequence,
        candidates_numbered.event_number,
        0 as is_macro

    from candidates_numbered
    cross join goals
    where candidates_numbered.trial_number = 1

    union all

    select
        macro_conversions.macro_conversion,
        macro_conversions.session_key,
        null as micro_conversion,
        null as unit_key,
        null as intent_class,
        null as visitor_type,
        coalesce(identities.user_key, macro_conversions.visitor_key) as user_key,
        macro_conversions.occurred_at,
        macro_conversions.sequence,
        macro_conversions.event_number,
        1 as is_macro

    from macro_conversions
    left join identities on macro_conversions.visitor_key = identities.visitor_key

),

-- a macro that is the very event of the trial does not come later than it
timeline_with_next_macro as (

    select
        *,
        min(case when is_macro = 1 then occurred_at end) over (
            partition by
                macro_conversion,
                {{ 'session_key' if var('conversion_scope') == 'session' else 'user_key' }}
            order by occurred_at asc, sequence asc, event_number asc, is_macro desc
            rows between 1 following and unbounded following
        ) as next_macro_at

    from timeline

),

trials as (

    select
        *,
        case
            when next_macro_at <= {{ dbt.dateadd(
                'second', (var('horizon_days') | float * 86400) | round | int, 'occurred_at'
            ) }}
                then next_macro_at
        end as macro_at

    from timeline_with_next_macro
    where is_macro = 0

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
    occurred_at as trial_at,
    macro_at,
    cast(
        least(
            floor({{ seconds_between('occurred_at', version_moment()) }} / 3600.0),
            {{ horizon_hours() }}
        ) as integer
    ) as age_hours,
    case
        when macro_at is not null
            then cast(
                least(
                    floor({{ seconds_between('occurred_at', 'macro_at') }} / 3600.0),
                    greatest({{ horizon_hours() }} - 1, 0)
                ) as integer
            )
    end as delay_hours

from trials
