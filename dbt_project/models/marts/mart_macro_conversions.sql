{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['macro_conversion', 'source_system', 'event_id'],
    on_schema_change='fail',
    meta={
        'follows_changes': true,
        'part_by': 'session_key',
        'changed_by': {'column': 'session_key', 'key': 'public_session_key'},
    },
    post_hook="{{ remember_changes() }}"
) }}

with

all_macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

),

refunds as (

    select * from {{ ref('int_refunds') }}

),

refunds_of_orders as (

    select
        event_key,
        macro_conversion,
        sum(value) as refunded

    from refunds
    where event_key is not null
    group by event_key, macro_conversion

),

{% if is_incremental() %}

    kept as (

        select * from {{ this }}

    ),

    -- a refund notes no session of its order
    orders_given_back_otherwise as (

        select all_macro_conversions.session_key

        from all_macro_conversions
        inner join kept
            on all_macro_conversions.macro_conversion = kept.macro_conversion
            and all_macro_conversions.source_system = kept.source_system
            and all_macro_conversions.event_id = kept.event_id
        left join refunds_of_orders
            on all_macro_conversions.event_key = refunds_of_orders.event_key
            and all_macro_conversions.macro_conversion = refunds_of_orders.macro_conversion
        where coalesce(refunds_of_orders.refunded, 0) <> kept.refunded

    ),

    -- all of a session, or what is kept of it would go
    macro_conversions as (

        select * from all_macro_conversions
        where
            {{ changed_since_last_build('session_key') }}
            or session_key in (
                select orders_given_back_otherwise.session_key from orders_given_back_otherwise
            )

    )

{% else %}

    macro_conversions as (

        select * from all_macro_conversions

    )

{% endif %}

select
    macro_conversions.macro_conversion,
    coalesce(macro_conversions.order_id, macro_conversions.event_id) as order_id,
    macro_conversions.source_system,
    macro_conversions.event_id,
    macro_conversions.occurred_at,
    {{ reporting_date('macro_conversions.occurred_at') }} as occurred_date,
    sessions.public_session_key as session_key,
    {{ public_user_key('identities.user_key', 'sessions.visitor_id') }} as user_key,
    macro_conversions.value,
    macro_conversions.value_source,
    cast(coalesce(refunds_of_orders.refunded, 0) as decimal(18, 4)) as refunded

from macro_conversions
inner join sessions on macro_conversions.session_key = sessions.session_key
left join identities on sessions.visitor_key = identities.visitor_key
left join refunds_of_orders
    on macro_conversions.event_key = refunds_of_orders.event_key
    and macro_conversions.macro_conversion = refunds_of_orders.macro_conversion
