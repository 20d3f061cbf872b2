{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

-- read three times, each with the columns needed there: a wide CTE would be kept whole in memory
arrivals_to_judge as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

arrivals as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

arrivals_to_open as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

required_properties as (

    select * from {{ ref('required_properties') }}

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
        arrivals_to_judge.source_system,
        arrivals_to_judge.load_id,
        arrivals_to_judge.row_number,
        arrivals_to_judge.event_key,
        case
            when {{ json_text('arrivals_to_judge.unreadable', "'row'") }} is not null
                then 'unreadable_row'
            when arrivals_to_judge.consent_analytics in ('denied', 'no', 'false', '0')
                then 'consent_denied'
            when arrivals_to_judge.visitor_id is null then 'no_visitor'
            when {{ json_text('arrivals_to_judge.unreadable', "'occurred_at'") }} is not null
                then 'unreadable_time'
            when arrivals_to_judge.occurred_at is null then 'no_time'
            when arrivals_to_judge.occurred_at < timestamp '{{ var("project_start_date") }}'
                then 'before_project_start'
            when arrivals_to_judge.occurred_at > {{ dbt.dateadd(
                'hour', var('future_tolerance_hours'), 'arrivals_to_judge.landed_at'
            ) }} then 'in_the_future'
            when arrivals_to_judge.source_event_name is null then 'no_event_name'
            when
                {{ json_text('arrivals_to_judge.unreadable', "'value'") }} is not null
                or {{ json_text('arrivals_to_judge.unreadable', "'ecommerce.purchase_revenue'") }}
                is not null
                then 'unreadable_value'
            when {{ json_text('arrivals_to_judge.unreadable', "'properties'") }} is not null
                then 'unreadable_properties'
            when user_agents.bot_rule is not null then 'bot'
            when
                arrivals_to_judge.value is not null
                and arrivals_to_judge.currency is not null
                and currency_rates.rate is null
                then 'currency_without_rate'
        end as reason

    from arrivals_to_judge
    left join user_agents
        on arrivals_to_judge.user_agent = user_agents.user_agent
    left join currency_rates
        on arrivals_to_judge.currency = currency_rates.currency
        and cast(arrivals_to_judge.occurred_at as date) >= currency_rates.valid_from
        and cast(arrivals_to_judge.occurred_at as date) < currency_rates.valid_to

),

-- keys that came more than once, or had come before: few, so only they are ranked
keys_repeated as (

    select
        event_key,
        false as came_before

    from events_judged
    where reason is null
    group by event_key
    having count(*) > 1

    {% if is_incremental() %}
        union all

        select
            kept.event_key,
            true as came_before

        from {{ this }} as kept
        where
            kept.outcome = 'accepted'
            and kept.event_key in (
                select events_judged.event_key from events_judged
                where events_judged.reason is null
            )
    {% endif %}

),

repeats_ranked as (

    select
        events_judged.source_system,
        events_judged.load_id,
        events_judged.row_number,
        keys_repeated.came_before,
        row_number() over (
            partition by events_judged.event_key, keys_repeated.came_before
            order by events_judged.load_id, events_judged.row_number
        ) as copy_number

    from events_judged
    inner join keys_repeated on events_judged.event_key = keys_repeated.event_key
    where events_judged.reason is null

),

-- few rows against the many accepted ones
not_accepted as (

    select
        source_system,
        load_id,
        row_number,
        'refused' as outcome,
        reason

    from events_judged
    where reason is not null

    union

    select
        source_system,
        load_id,
        row_number,
        'duplicate' as outcome,
        null as reason

    from repeats_ranked
    where came_before or copy_number > 1

),

rules_met_by_name as (

    select
        event_name,
        cast(sum(rule_bit) as bigint) as rules_met

    from rules
    where operator is null
    group by event_name

),

-- what an event is asked for besides its name: by a rule, or because it must carry it
questions as (

    select
        event_name,
        property,
        operator,
        threshold,
        rule_bit

    from rules
    where operator is not null and rule_bit is not null

    union all

    select
        event_name,
        property,
        'is_there' as operator,
        null as threshold,
        cast(0 as bigint) as rule_bit

    from required_properties

),

-- only events that are asked for one have their properties opened
questions_asked as (

    select
        arrivals_to_open.source_system,
        arrivals_to_open.load_id,
        arrivals_to_open.row_number,
        questions.operator,
        questions.threshold,
        questions.rule_bit,
        {{ compared_property('arrivals_to_open', 'questions.property') }} as compared

    from arrivals_to_open
    inner join questions on arrivals_to_open.event_name = questions.event_name

),

questions_answered as (

    select
        source_system,
        load_id,
        row_number,
        cast(
            sum(
                case when {{ is_met('compared', 'operator', 'threshold') }} then rule_bit else 0 end
            ) as bigint
        ) as rules_met,
        max(case when operator = 'is_there' and compared is null then 1 else 0 end) = 1
            as is_incomplete

    from questions_asked
    group by source_system, load_id, row_number

)

select
    arrivals.source_system,
    arrivals.load_id,
    arrivals.row_number,
    coalesce(not_accepted.outcome, 'accepted') as outcome,
    not_accepted.reason,

    ---------- what the row says of itself, also when it is not accepted
    arrivals.event_key,
    arrivals.landed_at,
    arrivals.occurred_at,
    arrivals.source_event_name,
    arrivals.event_name,
    arrivals.is_known_name,

    ---------- what later models sort by, join by and show of a session
    {% for name, expression in {
        'visitor_key': 'arrivals.visitor_key',
        'visitor_id': 'arrivals.visitor_id',
        'user_id': known_id('arrivals.user_id'),
        'source_session_id':
            'arrivals.source_session_id' if var('session_id_source') == 'source'
            else 'cast(null as varchar)',
        'sequence': 'arrivals.sequence',
        'page': "split_part(arrivals.page_url, '?', 1)",
        'source': known_text('arrivals.source'),
        'medium': known_text('arrivals.medium'),
        'campaign': known_text('arrivals.campaign'),
        'has_google_click':
            'coalesce(arrivals.gclid, arrivals.gbraid, arrivals.wbraid) is not null',
        'has_meta_click': 'arrivals.fbclid is not null',
        'source_channel_group': 'arrivals.source_channel_group',
        'device_category': 'arrivals.device_category',
        'country': 'arrivals.country',
        'rules_met':
            'coalesce(rules_met_by_name.rules_met, 0) + coalesce(questions_answered.rules_met, 0)',
        'is_incomplete': 'coalesce(questions_answered.is_incomplete, false)'
    }.items() %}
        case when not_accepted.outcome is null then {{ expression }} end as {{ name }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}

from arrivals
left join not_accepted
    on arrivals.load_id = not_accepted.load_id
    and arrivals.row_number = not_accepted.row_number
    and arrivals.source_system = not_accepted.source_system
left join rules_met_by_name on arrivals.event_name = rules_met_by_name.event_name
left join questions_answered
    on arrivals.load_id = questions_answered.load_id
    and arrivals.row_number = questions_answered.row_number
    and arrivals.source_system = questions_answered.source_system
