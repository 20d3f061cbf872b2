{% set reach = days_of_credit() -%}
{#- its notes reach back by the look-back; the changes that they come of are followed here too -#}
{% set besides = ['int_session_credits'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_users',
    meta={'changed_by': ['session_key'], 'days_before': reach, 'besides': besides},
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
    where session_date >= date '{{ first_date_changed(2 * reach, besides) }}'

),

{% if is_incremental() %}

    changes as (

        select
            user_key,
            session_date as date

        from sessions_of_users
        where {{ changed_since_last_build('session_key', besides=besides) }}

        union all

        select
            kept.user_key,
            kept.date

        from {{ this }} as kept
        where {{ changed_since_last_build(
            'kept.session_key', besides=besides, dated_by='kept.date'
        ) }}

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

-- keys instead of names: what is shared below is narrow. Most sessions share with nobody: those
-- that do not are in no path below
sessions_in_company as (

    select
        session_key,
        started_at,
        session_date,
        user_key,
        {{ internal_key(['channel_group']) }} as channel_key,
        channel_group = 'Direct' as is_direct,
        cast(row_number() over user_in_order as integer) as place,
        coalesce(
            lag(started_at) over user_in_order >= {{ dbt.dateadd(
                'day', '-' ~ var('attribution_look_back_days'), 'started_at'
            ) }}
            or lead(started_at) over user_in_order = started_at,
            false
        ) as has_company

    from sessions
    window
        user_in_order as (
            partition by user_key
            order by
                started_at asc,
                {{ 'session_number asc,' if sessions_may_begin_together() }}
                session_key desc
        )

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
            and session_key in (select sessions.session_key from sessions)
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
        sessions_in_company.session_key,
        sessions_in_company.place,
        sessions_in_company.channel_key,
        sessions_in_company.is_direct

    from session_credits
    inner join macro_conversions
        on session_credits.event_key = macro_conversions.event_key
        and session_credits.macro_conversion = macro_conversions.macro_conversion
    inner join sessions_in_company
        on session_credits.session_key = sessions_in_company.session_key

    union all

    select
        false as is_macro,
        micro_sessions.session_key as conversion_key,
        0 as goal_key,
        micro_sessions.session_date as conversion_date,
        micro_sessions.micro_value as amount,
        {{ attribution_weight('sessions_in_company.started_at', 'micro_sessions.started_at') }}
            as weight,
        sessions_in_company.session_key,
        sessions_in_company.place,
        sessions_in_company.channel_key,
        sessions_in_company.is_direct

    from micro_sessions
    inner join sessions_in_company
        on micro_sessions.user_key = sessions_in_company.user_key
        and {{ shares_the_credit(
            'sessions_in_company.started_at',
            'sessions_in_company.session_key',
            'micro_sessions.started_at',
            'micro_sessions.session_key'
        ) }}
    where micro_sessions.has_company

),

-- weights as decimals: their sum does not depend on the order in which an engine adds
channels_of_paths as (

    select
        conversion_key,
        goal_key,
        channel_key,
        count(*) as touches,
        sum(cast(weight as decimal(18, 14))) as weights,
        min(place) as first_place,
        max(place) as last_place,
        max(case when not is_direct then place end) as last_non_direct_place

    from touches
    group by conversion_key, goal_key, channel_key

),

paths as (

    select
        conversion_key,
        goal_key,
        sum(touches) as touches,
        count(*) as channels,
        cast(sum(weights) as double) as weights,
        min(first_place) as first_place,
        max(last_place) as last_place,
        coalesce(max(last_non_direct_place), max(last_place)) as last_non_direct_place

    from channels_of_paths
    group by conversion_key, goal_key

),

touches_shared as (

    select
        touches.is_macro,
        touches.conversion_key,
        touches.goal_key,
        touches.conversion_date,
        touches.session_key,
        touches.amount,
        touches.place = paths.first_place as is_first,
        touches.place = paths.last_place as is_last,
        touches.place = paths.last_non_direct_place as is_last_non_direct,
        1.0 / paths.touches as share_linear,
        case
            when paths.touches <= 2 then 1.0 / paths.touches
            when touches.place in (paths.first_place, paths.last_place) then 0.4
            else 0.2 / (paths.touches - 2)
        end as share_position,
        case when touches.is_macro then touches.weight else touches.weight / paths.weights end
            as share_time_decay,
        1.0 / (paths.channels * channels_of_paths.touches) as share_shapley

    from touches
    inner join channels_of_paths
        on touches.conversion_key = channels_of_paths.conversion_key
        and touches.goal_key = channels_of_paths.goal_key
        and touches.channel_key = channels_of_paths.channel_key
    inner join paths
        on touches.conversion_key = paths.conversion_key
        and touches.goal_key = paths.goal_key

),

-- parts of a conversion are counted of macro-conversions only
touches_rounded as (

    select
        {% for model in shared_models %}
            case
                when is_macro then cast({{ rounded('share_' ~ model, 6) }} as decimal(18, 6))
                else 0
            end as part_{{ model }},
            cast({{ rounded('cast(amount as double) * share_' ~ model, 4) }} as decimal(18, 4))
                as credit_{{ model }},
        {% endfor %}
        {% for model in whole_models %}
            is_{{ model }},
        {% endfor %}
        is_macro,
        conversion_key,
        goal_key,
        session_key,
        conversion_date,
        amount

    from touches_shared

),

-- what rounding leaves of each conversion
remainders as (

    select
        {% for model in shared_models %}
            max(case when is_macro then 1 else 0 end) - sum(part_{{ model }})
                as part_{{ model }},
            max(amount) - sum(credit_{{ model }}) as credit_{{ model }},
        {% endfor %}
        conversion_key,
        goal_key

    from touches_rounded
    group by conversion_key, goal_key

),

-- the last touch takes it, so the credits of a conversion sum to the whole
touches_credited as (

    select
        {% for model in shared_models %}
            touches_rounded.part_{{ model }} + coalesce(remainders.part_{{ model }}, 0)
                as conversions_{{ model }},
            touches_rounded.credit_{{ model }} + coalesce(remainders.credit_{{ model }}, 0)
                as credit_{{ model }},
        {% endfor %}
        {% for model in whole_models %}
            case when touches_rounded.is_macro and touches_rounded.is_{{ model }} then 1 else 0 end
                as conversions_{{ model }},
            case when touches_rounded.is_{{ model }} then touches_rounded.amount else 0 end
                as credit_{{ model }},
        {% endfor %}
        touches_rounded.is_macro,
        touches_rounded.conversion_key,
        touches_rounded.goal_key,
        touches_rounded.session_key,
        touches_rounded.conversion_date

    from touches_rounded
    left join remainders
        on touches_rounded.conversion_key = remainders.conversion_key
        and touches_rounded.goal_key = remainders.goal_key
        and touches_rounded.is_last

    union all

    -- a path of one session shares nothing
    select
        {% for model in shared_models + whole_models %}
            0 as conversions_{{ model }},
            micro_value as credit_{{ model }},
        {% endfor %}
        false as is_macro,
        session_key as conversion_key,
        0 as goal_key,
        session_key,
        session_date as conversion_date

    from micro_sessions
    where not has_company

)

select
    sessions.user_key,
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
        on sessions.user_key = touched.user_key
        and sessions.session_date >= touched.touched_from
{% endif %}
order by credited.session_key
