{#- days that a conversion reaches back: its look-back, and the visit in which it happens -#}
{% set reach = var('attribution_look_back_days') | int
    + (var('session_maximum_hours') | int / 24) | round(0, 'ceil') | int + 1 -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_users',
    meta={'changed_by': ['session_key'], 'days_before': reach},
    post_hook="{{ remember_changes() }}"
) }}

{% set shared_models = ['linear', 'position', 'time_decay', 'shapley'] -%}
{% set whole_models = ['first', 'last', 'last_non_direct'] -%}

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

sessions_of_users as (

    select * from {{ ref('int_sessions_of_users') }}
    where session_date >= date '{{ first_date_changed(2 * reach) }}'

),

{% if is_incremental() %}

    changes as (

        select
            user_key,
            session_date as date

        from sessions_of_users
        where {{ changed_since_last_build('session_key') }}

        union all

        select
            kept.user_key,
            kept.date

        from {{ this }} as kept
        where {{ changed_since_last_build('kept.session_key', dated_by='kept.date') }}

    ),

    -- a change reaches conversions from its day on, and they reach back from there
    touched as (

        select
            user_key,
            cast({{ dbt.dateadd('day', -reach, 'min(date)') }} as date) as touched_from

        from changes
        group by user_key

    ),

    sessions as (

        select sessions_of_users.*

        from sessions_of_users
        inner join touched
            on sessions_of_users.user_key = touched.user_key
            and sessions_of_users.session_date >= {{ dbt.dateadd(
                'day', -reach, 'touched.touched_from'
            ) }}

    ),

{% else %}

    sessions as (

        select * from sessions_of_users

    ),

{% endif %}

-- keys instead of names: what goes through the windows below is narrow
sessions_keyed as (

    select
        session_key,
        started_at,
        session_date,
        user_key,
        {{ internal_key(['channel_group']) }} as channel_key,
        channel_group = 'Direct' as is_direct

    from sessions

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
    where
        step_number > 0
        and item <> '(macro)'
        {% if is_incremental() %}
            and session_key in (select sessions_keyed.session_key from sessions_keyed)
        {% endif %}
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
        sessions_keyed.user_key,
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
        sessions_keyed.user_key,
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

),

touches_shared as (

    select
        is_macro,
        conversion_key,
        goal_key,
        conversion_date,
        user_key,
        session_key,
        amount,
        touch_from_last,
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

),

touches_rounded as (

    select
        {% for model in shared_models %}
            cast(round(share_{{ model }}, 6) as decimal(18, 6)) as part_{{ model }},
            cast(round(cast(amount as double) * share_{{ model }}, 4) as decimal(18, 4))
                as credit_{{ model }},
        {% endfor %}
        {% for model in whole_models %}
            share_{{ model }},
        {% endfor %}
        is_macro,
        conversion_key,
        goal_key,
        user_key,
        session_key,
        conversion_date,
        amount,
        touch_from_last

    from touches_shared

),

-- the last touch takes what rounding leaves, so the credits of a conversion sum to the whole; parts
-- of a conversion are counted of macro-conversions only
touches_credited as (

    {% for is_macro in [true, false] %}
        select
            {% for model in shared_models %}
                {% if is_macro %}
                    case
                        when touch_from_last = 1
                            then 1 - (
                                sum(part_{{ model }}) over (partition by conversion_key, goal_key)
                                - part_{{ model }}
                            )
                        else part_{{ model }}
                    end as conversions_{{ model }},
                {% else %}
                    0 as conversions_{{ model }},
                {% endif %}
                case
                    when touch_from_last = 1
                        then amount - (
                            sum(credit_{{ model }}) over (partition by conversion_key, goal_key)
                            - credit_{{ model }}
                        )
                    else credit_{{ model }}
                end as credit_{{ model }},
            {% endfor %}
            {% for model in whole_models %}
                {{ 'share_' ~ model if is_macro else '0' }} as conversions_{{ model }},
                case when share_{{ model }} = 1 then amount else 0 end as credit_{{ model }},
            {% endfor %}
            is_macro,
            conversion_key,
            goal_key,
            user_key,
            session_key,
            conversion_date

        from touches_rounded
        where {{ 'is_macro' if is_macro else 'not is_macro' }}

        union all

    {% endfor %}
    -- a path of one session shares nothing
    select
        {% for model in shared_models + whole_models %}
            0 as conversions_{{ model }},
            micro_value as credit_{{ model }},
        {% endfor %}
        false as is_macro,
        session_key as conversion_key,
        0 as goal_key,
        user_key,
        session_key,
        session_date as conversion_date

    from micro_sessions
    where not has_company

)

select
    credited.user_key,
    credited.session_key,
    credited.is_macro,
    credited.conversion_key,
    credited.goal_key,
    cast({{ dbt.date_trunc('month', 'credited.conversion_date') }} as date) as month,
    sessions.session_date as date,
    sessions.channel_group,
    sessions.campaign,
    {% if is_incremental() %}
        touched.touched_from,
    {% endif %}
    {% for model in shared_models + whole_models %}
        cast(credited.conversions_{{ model }} as decimal(18, 6)) as conversions_{{ model }},
        cast(credited.credit_{{ model }} as decimal(18, 4)) as credit_{{ model }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}

from touches_credited as credited
inner join sessions on credited.session_key = sessions.session_key
{% if is_incremental() %}
    inner join touched
        on credited.user_key = touched.user_key
        and sessions.session_date >= touched.touched_from
{% endif %}
order by credited.session_key
