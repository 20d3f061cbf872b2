{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

staged_events as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

user_agents as (

    select * from {{ ref('int_user_agents') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

-- the first reason that applies; consent first, since a refused visitor has no id
events_judged as (

    select
        staged_events.source_system,
        staged_events.load_id,
        staged_events.row_number,
        staged_events.file_name,
        {{ internal_key(['staged_events.source_system', 'staged_events.event_id']) }} as event_key,
        case
            when {{ json_text('staged_events.unreadable', "'row'") }} is not null
                then 'unreadable_row'
            when staged_events.consent_analytics in ('denied', 'no', 'false', '0')
                then 'consent_denied'
            when staged_events.visitor_id is null then 'no_visitor'
            when {{ json_text('staged_events.unreadable', "'occurred_at'") }} is not null
                then 'unreadable_time'
            when staged_events.occurred_at is null then 'no_time'
            when staged_events.occurred_at < timestamp '{{ var("project_start_date") }}'
                then 'before_project_start'
            when staged_events.occurred_at > {{ dbt.dateadd(
                'hour', var('future_tolerance_hours'), 'staged_events.landed_at'
            ) }} then 'in_the_future'
            when staged_events.source_event_name is null then 'no_event_name'
            when
                {{ json_text('staged_events.unreadable', "'value'") }} is not null
                or {{ json_text('staged_events.unreadable', "'ecommerce.purchase_revenue'") }}
                is not null
                then 'unreadable_value'
            when {{ json_text('staged_events.unreadable', "'properties'") }} is not null
                then 'unreadable_properties'
            when user_agents.bot_rule is not null then 'bot'
            when
                staged_events.value is not null
                and staged_events.currency is not null
                and currency_rates.rate is null
                then 'currency_without_rate'
        end as refusal_reason

    from staged_events
    left join user_agents
        on staged_events.user_agent = user_agents.user_agent
    left join currency_rates
        on staged_events.currency = currency_rates.currency
        and cast(staged_events.occurred_at as date) >= currency_rates.valid_from
        and cast(staged_events.occurred_at as date) < currency_rates.valid_to

),

-- keys that came more than once, or had come before: few, so only they are ranked
keys_repeated as (

    select event_key

    from events_judged
    where refusal_reason is null
    group by event_key
    having count(*) > 1

    {% if is_incremental() %}
        union

        select kept.event_key

        from {{ this }} as kept
        inner join events_judged on kept.event_key = events_judged.event_key
        where kept.outcome = 'accepted'
    {% endif %}

),

repeats_ranked as (

    select
        events_judged.load_id,
        events_judged.row_number,
        events_judged.source_system,
        row_number() over (
            partition by events_judged.event_key
            order by events_judged.load_id, events_judged.row_number
        ) as copy_number,
        {% if is_incremental() %}
            events_judged.event_key in (
                select kept.event_key from {{ this }} as kept
                where kept.outcome = 'accepted'
            )
        {% else %}
            false
        {% endif %} as came_before

    from events_judged
    inner join keys_repeated on events_judged.event_key = keys_repeated.event_key
    where events_judged.refusal_reason is null

),

duplicates as (

    select
        source_system,
        load_id,
        row_number

    from repeats_ranked
    where came_before or copy_number > 1

)

select
    events_judged.source_system,
    events_judged.load_id,
    events_judged.row_number,
    events_judged.file_name,
    events_judged.event_key,
    case
        when events_judged.refusal_reason is not null then 'refused'
        when duplicates.row_number is not null then 'duplicate'
        else 'accepted'
    end as outcome,
    events_judged.refusal_reason as reason

from events_judged
left join duplicates
    on events_judged.load_id = duplicates.load_id
    and events_judged.row_number = duplicates.row_number
    and events_judged.source_system = duplicates.source_system
