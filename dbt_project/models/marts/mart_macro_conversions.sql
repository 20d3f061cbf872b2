with

macro_conversions as (

    select * from {{ ref('int_macro_conversions') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('int_visitor_identities') }}

)

select
    macro_conversions.macro_conversion,
    coalesce(macro_conversions.order_id, macro_conversions.event_id) as order_id,
    macro_conversions.occurred_at,
    {{ reporting_date('macro_conversions.occurred_at') }} as occurred_date,
    sessions.public_session_key as session_key,
    {{ public_user_key('identities.user_key', 'sessions.visitor_id') }} as user_key,
    macro_conversions.value,
    macro_conversions.value_source

from macro_conversions
inner join sessions on macro_conversions.session_key = sessions.session_key
left join identities on sessions.visitor_key = identities.visitor_key
