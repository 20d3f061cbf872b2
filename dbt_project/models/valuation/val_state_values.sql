{{ config(tags=['quarterly']) }}

with

sessions as (

    select * from {{ ref('val_sessions') }}

),

states as (

    select * from {{ ref('int_session_states') }}

),

credits as (

    select * from {{ ref('val_session_credits') }}

),

segments as (

    select * from {{ ref('val_segments') }}
    where (intent_class = '(all)') = (visitor_type = '(all)')

),

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

-- only sessions whose credit is settled: younger ones would look worthless
steps as (

    select
        states.session_key,
        states.macro_conversion,
        states.state_key,
        states.deepest_tier_rank,
        states.is_last,
        sessions.intent_class,
        sessions.visitor_type,
        coalesce(credits.credit, 0.0) as credit

    from states
    inner join sessions on states.session_key = sessions.session_key
    left join credits
        on states.session_key = credits.session_key
        and states.macro_conversion = credits.macro_conversion
    where sessions.is_settled

),

-- a session passes through a tier once, however many states of that tier it had
tier_steps as (

    select
        session_key,
        macro_conversion,
        deepest_tier_rank,
        intent_class,
        visitor_type,
        credit,
        max(case when is_last then 1 else 0 end) as is_last

    from steps
    group by
        session_key, macro_conversion, deepest_tier_rank, intent_class, visitor_type, credit

),

tier_totals as (

    select
        macro_conversion,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        deepest_tier_rank,
        count(*) as passed,
        sum(credit) as passed_credit,
        sum(is_last) as ended,
        sum(is_last * credit) as ended_credit

    from tier_steps
    group by grouping sets (
        (macro_conversion, deepest_tier_rank),
        (macro_conversion, deepest_tier_rank, intent_class, visitor_type)
    )

),

state_totals as (

    select
        macro_conversion,
        intent_class,
        visitor_type,
        state_key,
        max(deepest_tier_rank) as deepest_tier_rank,
        count(*) as passed,
        sum(credit) as passed_credit,
        sum(case when is_last then 1 else 0 end) as ended,
        sum(case when is_last then credit else 0 end) as ended_credit

    from steps
    group by macro_conversion, intent_class, visitor_type, state_key

),

-- every session passes through tier 0, its start
start_of_all as (

    select
        goals.macro_conversion,
        coalesce(tier_totals.passed_credit / nullif(tier_totals.passed, 0), 0.0) as value

    from goals
    left join tier_totals
        on goals.macro_conversion = tier_totals.macro_conversion
        and tier_totals.deepest_tier_rank = 0
        and tier_totals.intent_class = '(all)'

),

tiers as (

    select number as deepest_tier_rank from {{ whole_numbers_below(5) }}

),

-- a tier that was seen speaks for itself: the start is far below the deep tiers
tiers_of_all as (

    select
        start_of_all.macro_conversion,
        tiers.deepest_tier_rank,
        coalesce(tier_totals.passed, 0) as passed,
        coalesce(tier_totals.ended, 0) as ended,
        {{ shrunk_mean(
            'coalesce(tier_totals.passed_credit, 0.0)', 'coalesce(tier_totals.passed, 0)',
            'start_of_all.value', 0
        ) }} as passed_value,
        {{ shrunk_mean(
            'coalesce(tier_totals.ended_credit, 0.0)', 'coalesce(tier_totals.ended, 0)',
            'start_of_all.value', 0
        ) }} as ended_value

    from start_of_all
    cross join tiers
    left join tier_totals
        on start_of_all.macro_conversion = tier_totals.macro_conversion
        and tiers.deepest_tier_rank = tier_totals.deepest_tier_rank
        and tier_totals.intent_class = '(all)'

),

tiers_of_segments as (

    select
        tiers_of_all.macro_conversion,
        segments.intent_class,
        segments.visitor_type,
        tiers_of_all.deepest_tier_rank,
        coalesce(tier_totals.passed, 0) as passed,
        coalesce(tier_totals.ended, 0) as ended,
        {{ shrunk_mean(
            'coalesce(tier_totals.passed_credit, 0.0)', 'coalesce(tier_totals.passed, 0)',
            'tiers_of_all.passed_value', var('state_prior_sessions')
        ) }} as passed_value,
        {{ shrunk_mean(
            'coalesce(tier_totals.ended_credit, 0.0)', 'coalesce(tier_totals.ended, 0)',
            'tiers_of_all.ended_value', var('state_prior_sessions')
        ) }} as ended_value

    from tiers_of_all
    cross join segments
    left join tier_totals
        on tiers_of_all.macro_conversion = tier_totals.macro_conversion
        and tiers_of_all.deepest_tier_rank = tier_totals.deepest_tier_rank
        and segments.intent_class = tier_totals.intent_class
        and segments.visitor_type = tier_totals.visitor_type
    where segments.intent_class <> '(all)'

)

select
    macro_conversion,
    intent_class,
    visitor_type,
    'tier' as level,
    cast(deepest_tier_rank as bigint) as state_key,
    passed,
    ended,
    cast(round(passed_value, 4) as decimal(18, 4)) as passed_value,
    cast(round(ended_value, 4) as decimal(18, 4)) as ended_value

from tiers_of_segments

union all

select
    state_totals.macro_conversion,
    state_totals.intent_class,
    state_totals.visitor_type,
    'state' as level,
    state_totals.state_key,
    state_totals.passed,
    cast(state_totals.ended as bigint) as ended,
    cast(
        round(
            {{ shrunk_mean(
                'state_totals.passed_credit', 'state_totals.passed', 'parents.passed_value',
                var('state_prior_sessions')
            ) }}, 4
        ) as decimal(18, 4)
    ) as passed_value,
    cast(
        round(
            {{ shrunk_mean(
                'state_totals.ended_credit', 'state_totals.ended', 'parents.ended_value',
                var('state_prior_sessions')
            ) }}, 4
        ) as decimal(18, 4)
    ) as ended_value

from state_totals
inner join tiers_of_segments as parents
    on state_totals.macro_conversion = parents.macro_conversion
    and state_totals.intent_class = parents.intent_class
    and state_totals.visitor_type = parents.visitor_type
    and state_totals.deepest_tier_rank = parents.deepest_tier_rank
