{#- whose the sessions are is not counted here; what they are credited with has notes of its own -#}
{% set besides = ['int_visitor_identities'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    on_schema_change='fail',
    meta={'changed_by': {'column': 'date', 'key': 'session_date', 'besides': besides}},
    post_hook="{{ remember_changes() }}"
) }}
-- depends_on: {{ ref('int_sessions') }}

with

sessions as (

    select * from {{ ref('mart_sessions') }}
    where {{ changed_since_last_build('session_date', 'session_date', besides) }}

),

micro_conversions as (

    select * from {{ ref('mart_micro_conversions') }}
    where {{ on_dates_changed('occurred_at', besides) }}

),

spend as (

    select * from {{ ref('int_daily_spend') }}
    where {{ changed_since_last_build('spend_date', 'session_date', besides) }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

),

{% if is_incremental() %}

    sessions_of_days as (

        select session_key from {{ ref('int_sessions') }}
        where {{ changed_since_last_build('session_date', 'session_date', besides) }}

    ),

    -- by the key that orders the table: of the sessions above only the public one is known
    session_values as (

        select * from {{ ref('val_session_values') }}
        where session_key in (select sessions_of_days.session_key from sessions_of_days)

    ),

{% else %}

    session_values as (

        select * from {{ ref('val_session_values') }}

    ),

{% endif %}

daily_refunds as (

    select * from {{ ref('int_daily_refunds') }}
    where {{ changed_since_last_build('refund_date', 'session_date', besides) }}

),

micros_of_sessions as (

    select
        micro_conversions.session_key,
        sum(micro_conversions.weighted_value) as weighted_value,
        sum(micro_conversions.probability_value) as probability_value

    from micro_conversions
    inner join sessions on micro_conversions.session_key = sessions.session_key
    group by micro_conversions.session_key

),

-- sessions and spend stand side by side as rows, so neither needs the other to be there
rows_of_sessions as (

    select
        sessions.session_date as date,
        sessions.channel_group,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.intent_class,
        sessions.visitor_type,
        1 as sessions,
        sessions.soft_conversions,
        sessions.medium_conversions,
        sessions.hard_conversions,
        sessions.macro_conversions,
        sessions.revenue,
        0 as refunds,
        session_values.attributed_revenue,
        coalesce(micros_of_sessions.weighted_value, 0) as weighted_value,
        coalesce(micros_of_sessions.probability_value, 0) as probability_value,
        session_values.baseline_value,
        session_values.incremental_value,
        session_values.closing_value,
        0 as impressions,
        0 as clicks,
        0 as cost

    from sessions
    inner join session_values on sessions.session_key = session_values.public_session_key
    left join micros_of_sessions on sessions.session_key = micros_of_sessions.session_key

),

rows_of_spend as (

    select
        spend_date as date,
        channel_group,
        source,
        medium,
        campaign,
        intent_class,
        '(none)' as visitor_type,
        0 as sessions,
        0 as soft_conversions,
        0 as medium_conversions,
        0 as hard_conversions,
        0 as macro_conversions,
        0 as revenue,
        0 as refunds,
        0 as attributed_revenue,
        0 as weighted_value,
        0 as probability_value,
        0 as baseline_value,
        0 as incremental_value,
        0 as closing_value,
        impressions,
        clicks,
        cost

    from spend

),

rows_of_refunds as (

    select
        refund_date as date,
        channel_group,
        source,
        medium,
        campaign,
        intent_class,
        visitor_type,
        0 as sessions,
        0 as soft_conversions,
        0 as medium_conversions,
        0 as hard_conversions,
        0 as macro_conversions,
        0 - refunds as revenue,
        refunds,
        0 - credit as attributed_revenue,
        0 as weighted_value,
        0 as probability_value,
        0 as baseline_value,
        0 as incremental_value,
        0 as closing_value,
        0 as impressions,
        0 as clicks,
        0 as cost

    from daily_refunds

),

all_rows as (

    select * from rows_of_sessions

    union all

    select * from rows_of_refunds

    union all

    select * from rows_of_spend

)

select
    all_rows.date,
    all_rows.channel_group,
    all_rows.source,
    all_rows.medium,
    all_rows.campaign,
    all_rows.intent_class,
    all_rows.visitor_type,
    cast(sum(all_rows.sessions) as bigint) as sessions,
    cast(sum(all_rows.soft_conversions) as bigint) as soft_conversions,
    cast(sum(all_rows.medium_conversions) as bigint) as medium_conversions,
    cast(sum(all_rows.hard_conversions) as bigint) as hard_conversions,
    cast(sum(all_rows.macro_conversions) as bigint) as macro_conversions,
    cast(sum(all_rows.revenue) as decimal(18, 4)) as revenue,
    cast(sum(all_rows.refunds) as decimal(18, 4)) as refunds,
    cast(sum(all_rows.attributed_revenue) as decimal(18, 4)) as attributed_revenue,
    cast(sum(all_rows.weighted_value) as decimal(18, 4)) as weighted_value,
    cast(sum(all_rows.probability_value) as decimal(18, 4)) as probability_value,
    cast(sum(all_rows.baseline_value) as decimal(18, 4)) as baseline_value,
    cast(sum(all_rows.incremental_value) as decimal(18, 4)) as incremental_value,
    cast(sum(all_rows.closing_value) as decimal(18, 4)) as closing_value,
    cast(
        sum(all_rows.baseline_value) + sum(all_rows.incremental_value)
        + sum(all_rows.closing_value) as decimal(18, 4)
    ) as expected_revenue,
    cast(sum(all_rows.impressions) as bigint) as impressions,
    cast(sum(all_rows.clicks) as bigint) as clicks,
    cast(sum(all_rows.cost) as decimal(18, 4)) as cost,
    periods.value_version

from all_rows
inner join periods
    on all_rows.date >= periods.valid_from
    and all_rows.date < periods.valid_to
group by
    all_rows.date,
    all_rows.channel_group,
    all_rows.source,
    all_rows.medium,
    all_rows.campaign,
    all_rows.intent_class,
    all_rows.visitor_type,
    periods.value_version
