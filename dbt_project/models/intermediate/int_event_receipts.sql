{{ config(
    materialized='incremental',
    incremental_strategy='append',
    post_hook="{{ remember_arrivals() }}"
) }}

{%- set questions = property_questions(
    ref('int_conversion_rules'), ref('required_properties')
) -%}
{%- set properties = questions | map(attribute='property') | unique | list %}

with

-- read three times, each with the columns needed there: a wide CTE would be kept whole in memory
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

rules as (

    select * from {{ ref('int_conversion_rules') }}

),

event_names as (

    select * from {{ ref('int_event_names') }}

),

user_agents as (

    select * from {{ ref('int_user_agents') }}

),

currency_rates as (

    select * from {{ ref('int_currency_rates') }}

),

-- numbered, since that costs half of counting each key's rows
arrivals_numbered as (

    select
        event_key,
        row_number() over (partition by event_key order by event_key) as copy_number

    from arrivals_to_compare

),

-- keys that came more than once, or had come before: few, so only their rows are ranked
keys_repeated as (

    select distinct
        event_key,
        false as came_before

    from arrivals_numbered
    where copy_number > 1

    {% if is_incremental() %}
        union all

        select
            kept.event_key,
            true as came_before

        from {{ this }} as kept
        where kept.event_key in (select arrivals_to_compare.event_key from arrivals_to_compare)
        group by kept.event_key
        -- behind the search, since in front of it the planner takes the kept rows for the fewer
        having count(case when kept.outcome = 'accepted' then 1 end) > 0
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
        and {{ rate_holds('currency_rates', believable_time('arrivals_to_judge')) }}

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

events_named as (

    select
        arrivals.*,
        coalesce(event_names.event_name, arrivals.source_event_name) as event_name

    from arrivals
    left join event_names
        on arrivals.source_system = event_names.source_system
        and arrivals.source_event_name = event_names.source_event_name

),

-- only an event that is asked for a property has it looked up, and once, whoever asks
events_opened as (

    select
        events_named.*,
        {% for property in properties %}
            case
                when events_named.event_name in (
                    {%- for question in questions if question.property == property -%}
                        {{ sql_text(question.event_name) }}{{ ', ' }}
                    {%- endfor -%} null
                )
                    then {{ compared_property('events_named', property) }}
            end as asked_{{ loop.index }},
        {% endfor %}
        duplicates.row_number is not null as is_duplicate

    from events_named
    left join duplicates
        on events_named.load_id = duplicates.load_id
        and events_named.row_number = duplicates.row_number
        and events_named.source_system = duplicates.source_system

),

events_judged as (

    select
        events_opened.*,
        {{ refusal_reason('events_opened', 'user_agents.bot_rule', 'currency_rates.rate') }}
            as reason,
        coalesce(rules_met_by_name.rules_met, 0)
        {%- for question in questions if question.rule_bit %}
            + case
                when
                    events_opened.event_name = {{ sql_text(question.event_name) }}
                    and {{ is_met(
                        'events_opened.asked_' ~ (properties.index(question.property) + 1),
                        sql_text(question.operator),
                        sql_text(question.threshold)
                    ) }}
                    then {{ question.rule_bit }}
                else 0
            end
        {%- endfor %} as rules_met,
        coalesce(
            false
            {%- for question in questions if not question.rule_bit %}
            or (
                events_opened.event_name = {{ sql_text(question.event_name) }}
                and events_opened.asked_{{ properties.index(question.property) + 1 }} is null
            )
            {%- endfor %}, false
        ) as is_incomplete

    from events_opened
    left join user_agents
        on events_opened.user_agent = user_agents.user_agent
    left join currency_rates
        on events_opened.currency = currency_rates.currency
        and {{ rate_holds('currency_rates', believable_time('events_opened')) }}
    left join rules_met_by_name on events_opened.event_name = rules_met_by_name.event_name

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
    {{ believable_time('events_judged') }} as occurred_at,
    source_event_name,

    ---------- what later models sort by and join by: texts stay in raw, where they are read of the
    ---------- few events that describe a session
    {% for name, expression in {
        'visitor_key': 'visitor_key',
        'user_id': known_id('user_id'),
        'source_session_id':
            'source_session_id' if var('session_id_source') == 'source'
            else 'cast(null as string)',
        'sequence': 'sequence',
        'is_page_view': "event_name in ('page_view', 'screen_view')",
        'carries_source': carries_source('events_judged'),
        'carries_page': 'page_url is not null',
        'campaign_key': campaign_key('events_judged') if var('session_cut_at_campaign')
            else 'cast(null as bigint)',
        'rules_met': 'rules_met',
        'is_incomplete': 'is_incomplete'
    }.items() %}
        case when reason is null and not is_duplicate then {{ expression }} end as {{ name }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}

from events_judged
