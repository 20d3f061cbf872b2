{% set reach = days_of_credit() -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['session_key', 'event_key', 'macro_conversion'],
    meta={
        'notes_changes': true,
        'follows_changes': true,
        'speaks_of': ['session_key'],
        'part_by': 'event_key',
        'changed_by': {'column': 'session_key', 'key': 'session_key'},
    },
    post_hook="{{ remember_changes() }}"
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

all_macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

-- a conversion that a change reaches comes at the earliest a day before it, for the time zone
sessions as (

    select * from {{ ref('int_sessions') }}
    {% if is_incremental() %}
        where session_date >= date '{{ first_date_changed(reach + 1) }}'
    {% endif %}

),

{% if is_incremental() %}

    changed_sessions as (

        select
            sessions.session_date,
            coalesce(identities.user_key, sessions.visitor_key) as user_key

        from sessions
        left join identities on sessions.visitor_key = identities.visitor_key
        where {{ changed_since_last_build('sessions.session_key') }}

    ),

    -- union without all: each conversion once
    conversions_reached as (

        select all_macro_conversions.event_key

        from all_macro_conversions
        inner join changed_sessions
            on all_macro_conversions.user_key = changed_sessions.user_key
            and all_macro_conversions.occurred_at >= {{ dbt.dateadd(
                'day', -1, 'changed_sessions.session_date'
            ) }}
            and all_macro_conversions.occurred_at < {{ dbt.dateadd(
                'day', reach + 1, 'changed_sessions.session_date'
            ) }}

        union

        -- and those that have credited a session that changed
        select event_key from {{ this }}
        where {{ changed_since_last_build('session_key') }}

    ),

    macro_conversions as (

        select all_macro_conversions.*

        from all_macro_conversions
        inner join conversions_reached
            on all_macro_conversions.event_key = conversions_reached.event_key

    ),

{% else %}

    macro_conversions as (

        select * from all_macro_conversions

    ),

{% endif %}

buyers as (

    -- distinct: a user is looked up once
    select distinct user_key from macro_conversions

),

-- of many visitors few come to a goal; one without a login is a user of that key
visitors_of_buyers as (

    select
        identities.visitor_key,
        identities.user_key

    from identities
    inner join buyers on identities.user_key = buyers.user_key

    union all

    select
        buyers.user_key as visitor_key,
        buyers.user_key

    from buyers
    left join identities on buyers.user_key = identities.visitor_key
    where identities.visitor_key is null

),

sessions_of_buyers as (

    select
        sessions.session_key,
        {{ 'sessions.session_number,' if sessions_may_begin_together() }}
        sessions.started_at,
        visitors_of_buyers.user_key

    from sessions
    inner join visitors_of_buyers on sessions.visitor_key = visitors_of_buyers.visitor_key

),

-- time decay: a session one half-life older has half the weight. As decimals, whose sum does not
-- depend on the order in which an engine adds: else nights note credit of long ago as changed
touches as (

    select
        macro_conversions.event_key,
        macro_conversions.macro_conversion,
        macro_conversions.occurred_at as macro_at,
        macro_conversions.value,
        sessions_of_buyers.session_key,
        {{ 'sessions_of_buyers.session_number,' if sessions_may_begin_together() }}
        sessions_of_buyers.started_at,
        cast(
            {{ attribution_weight(
                'sessions_of_buyers.started_at', 'macro_conversions.occurred_at'
            ) }}
            as decimal(38, 30)
        ) as weight

    from macro_conversions
    inner join sessions_of_buyers
        on macro_conversions.user_key = sessions_of_buyers.user_key
        and {{ shares_the_credit(
            'sessions_of_buyers.started_at',
            'sessions_of_buyers.session_key',
            'macro_conversions.occurred_at',
            'macro_conversions.session_key'
        ) }}

),

touches_shared as (

    select
        *,
        cast(weight as double)
        / cast(sum(weight) over (partition by event_key, macro_conversion) as double) as share,
        row_number() over (
            partition by event_key, macro_conversion
            order by
                started_at desc,
                {{ 'session_number desc,' if sessions_may_begin_together() }}
                session_key asc
        ) as touch_from_last

    from touches

),

touches_rounded as (

    select
        *,
        cast({{ rounded('cast(value as double) * share', 4) }} as decimal(18, 4)) as rounded_credit

    from touches_shared

)

-- the last touch takes what rounding leaves, so the credits of a macro sum to its value
select
    session_key,
    event_key,
    macro_conversion,
    macro_at,
    share,
    cast(
        case
            when touch_from_last = 1
                then value - (
                    sum(rounded_credit) over (partition by event_key, macro_conversion)
                    - rounded_credit
                )
            else rounded_credit
        end as decimal(18, 4)
    ) as credit

from touches_rounded
