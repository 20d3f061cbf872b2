{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    on_schema_change='fail',
    meta={'changed_by': {
        'column': 'session_key', 'key': 'public_session_key', 'dated_by': 'occurred_at'
    }},
    post_hook="{{ remember_changes() }}"
) }}

with

micro_conversions as (

    select * from {{ ref('int_micro_conversions') }}
    where {{ changed_since_last_build('session_key', dated_by='occurred_at') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ changed_since_last_build('session_key', dated_by='session_date') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources') }}

),

values_in_force as (

    select * from {{ ref('val_values_in_force') }}

),

rules as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'micro'

),

session_steps as (

    select * from {{ ref('val_session_steps') }}
    where {{ changed_since_last_build('session_key') }}

),

increments as (

    select
        session_key,
        item as micro_conversion,
        sum(incremental_value) as incremental_value

    from session_steps
    where step_number > 0
    group by session_key, item

),

-- what one act is worth in its segment, over all goals that it may lead to
known_values as (

    select
        value_version,
        valid_from,
        valid_to,
        micro_conversion,
        intent_class,
        visitor_type,
        sum(weighted_value) as weighted_value,
        sum(probability_value) as probability_value

    from values_in_force
    group by
        value_version, valid_from, valid_to, micro_conversion, intent_class, visitor_type

),

goals_of_versions as (

    select
        value_version,
        valid_from,
        valid_to,
        macro_conversion,
        max(average_macro_value) as average_macro_value

    from values_in_force
    where intent_class = '(all)' and visitor_type = '(all)'
    group by value_version, valid_from, valid_to, macro_conversion

),

-- of an act that came behind the version its weight speaks, as it does where nobody has done it yet
values_by_weight as (

    select
        goals.value_version,
        goals.valid_from,
        goals.valid_to,
        rules.conversion as micro_conversion,
        sum(
            cast({{ rounded('rules.weight * goals.average_macro_value', 4) }} as decimal(18, 4))
        ) as weighted_value

    from goals_of_versions as goals
    cross join rules
    left join known_values
        on goals.value_version = known_values.value_version
        and rules.conversion = known_values.micro_conversion
    where known_values.micro_conversion is null
    group by goals.value_version, goals.valid_from, goals.valid_to, rules.conversion

),

values_per_act as (

    select
        value_version,
        valid_from,
        valid_to,
        micro_conversion,
        intent_class,
        visitor_type,
        weighted_value,
        probability_value,
        value_version as known_by

    from known_values

    union all

    select
        value_version,
        valid_from,
        valid_to,
        micro_conversion,
        '(all)' as intent_class,
        '(all)' as visitor_type,
        weighted_value,
        weighted_value as probability_value,
        '(none)' as known_by

    from values_by_weight

),

micros_described as (

    select
        micro_conversions.*,
        sessions.public_session_key,
        sessions.session_date,
        sessions.visitor_type,
        traffic_sources.intent_class

    from micro_conversions
    inner join sessions on micro_conversions.session_key = sessions.session_key
    inner join traffic_sources
        on sessions.source = traffic_sources.source
        and sessions.medium = traffic_sources.medium
        and sessions.campaign = traffic_sources.campaign

)

-- a segment without trials of its own takes the value of all
select
    micros_described.public_session_key as session_key,
    micros_described.micro_conversion,
    micros_described.tier,
    micros_described.phase,
    micros_described.kind,
    micros_described.occurred_at,
    micros_described.occurrences,
    cast(
        coalesce(own.weighted_value, of_all.weighted_value, 0)
        * micros_described.counted_occurrences as decimal(18, 4)
    ) as weighted_value,
    cast(
        coalesce(own.probability_value, of_all.probability_value, 0)
        * micros_described.counted_occurrences as decimal(18, 4)
    ) as probability_value,
    cast(coalesce(increments.incremental_value, 0) as decimal(18, 4)) as incremental_value,
    coalesce(of_all.known_by, '(none)') as value_version

from micros_described
left join values_per_act as of_all
    on micros_described.micro_conversion = of_all.micro_conversion
    and micros_described.session_date >= of_all.valid_from
    and micros_described.session_date < of_all.valid_to
    and of_all.intent_class = '(all)'
    and of_all.visitor_type = '(all)'
left join values_per_act as own
    on micros_described.micro_conversion = own.micro_conversion
    and of_all.value_version = own.value_version
    and micros_described.intent_class = own.intent_class
    and micros_described.visitor_type = own.visitor_type
left join increments
    on micros_described.session_key = increments.session_key
    and micros_described.micro_conversion = increments.micro_conversion
order by micros_described.session_key
