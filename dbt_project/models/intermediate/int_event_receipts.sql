{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

with

-- read four times, each with the columns needed there: a wide CTE would be kept whole in memory
arrivals_to_compare as (

    select * from {{ ref('int_staged_events') }}
    where {{ arrived_since_last_build() }}

),

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

-- keys that came more than once, or had come before: few, so only their rows are ranked
keys_repeated as (

    select
        event_key,
        false as came_before

    from arrivals_to_compare
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
                select arrivals_to_compare.event_key from arrivals_to_compare
            )
    {% endif %}

),

repeats_judged as (

    select
        arrivals_to_judge.source_system,
        arrivals_to_judge.load_id,
        arrivals_to_judge.row_number,
        arrivals_to_judge.event_key,
        arrivals_to_judge.loaded_at,
        keys_repeated.came_before,
        {{ refusal_reason(
            'arrivals_to_judge', 'user_agents.bot_rule', 'currency_rates.rate'
        ) }} as reason

    from arrivals_to_judge
    inner join keys_repeated on arrivals_to_judge.event_key = keys_repeated.event_key
    left join user_agents
        on arrivals_to_judge.user_agent = user_agents.user_agent
    left join currency_rates
        on arrivals_to_judge.currency = currency_rates.currency
        and cast(arrivals_to_judge.occurred_at as date) >= currency_rates.valid_from
        and cast(arrivals_to_judge.occurred_at as date) < currency_rates.valid_to

),

repeats_ranked as (

    select
        source_system,
        load_id,
        row_number,
        came_before,
        row_number() over (
            partition by event_key, came_before
            order by load_id, loaded_at, row_number
        ) as copy_number

    from repeats_judged
    where reason is null

),

duplicates as (

    select distinct
        source_system,
        load_id,
        row_number

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

),

events_judged as (

    select
        arrivals.*,
        {{ refusal_reason('arrivals', 'user_agents.bot_rule', 'currency_rates.rate') }} as reason,
        duplicates.row_number is not null as is_duplicate,
        coalesce(rules_met_by_name.rules_met, 0) + coalesce(questions_answered.rules_met, 0)
            as rules_met,
        coalesce(questions_answered.is_incomplete, false) as is_incomplete

    from arrivals
    left join duplicates
        on arrivals.load_id = duplicates.load_id
        and arrivals.row_number = duplicates.row_number
        and arrivals.source_system = duplicates.source_system
    left join user_agents
        on arrivals.user_agent = user_agents.user_agent
    left join currency_rates
        on arrivals.currency = currency_rates.currency
        and cast(arrivals.occurred_at as date) >= currency_rates.valid_from
        and cast(arrivals.occurred_at as date) < currency_rates.valid_to
    left join rules_met_by_name on arrivals.event_name = rules_met_by_name.event_name
    left join questions_answered
        on arrivals.load_id = questions_answered.load_id
        and arrivals.row_number = questions_answered.row_number
        and arrivals.source_system = questions_answered.source_system

)

select
    source_system,
    load_id,
    row_number,
    case
        when reason is not null then 'refused'
        when is_duplicate then 'duplicate'
        else 'accepted'
    end as outcome,
    reason,

    ---------- what the row says of itself, also when it is not accepted
    event_key,
    landed_at,
    occurred_at,
    source_event_name,
    event_name,
    is_known_name,

    ---------- what later models sort by, join by and show of a session
    {% for name, expression in {
        'visitor_key': 'visitor_key',
        'visitor_id': 'visitor_id',
        'user_id': known_id('user_id'),
        'source_session_id':
            'source_session_id' if var('session_id_source') == 'source'
            else 'cast(null as varchar)',
        'sequence': 'sequence',
        'page': "split_part(page_url, '?', 1)",
        'source': known_text('source'),
        'medium': known_text('medium'),
        'campaign': known_text('campaign'),
        'has_google_click': 'coalesce(gclid, gbraid, wbraid) is not null',
        'has_meta_click': 'fbclid is not null',
        'source_channel_group': 'source_channel_group',
        'device_category': 'device_category',
        'country': 'country',
        'rules_met': 'rules_met',
        'is_incomplete': 'is_incomplete'
    }.items() %}
        case when reason is null and not is_duplicate then {{ expression }} end as {{ name }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}

from events_judged
