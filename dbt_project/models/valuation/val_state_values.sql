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
    where intent_class <> '(all)' and visitor_type <> '(all)'

),

goals as (

    select conversion as macro_conversion from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

tiers as (

    select number as deepest_tier_rank from {{ whole_numbers_below(5) }}

),

-- the two averages: of sessions that passed through a state, of those that ended in it
moments as (

    select
        number as is_end,
        case number when 0 then 'passed' else 'ended' end as moment

    from {{ whole_numbers_below(2) }}

),

-- only sessions whose credit is settled: younger ones would look worthless
steps as (

    select
        states.session_key,
        states.macro_conversion,
        states.state_key,
        states.deepest_tier_rank,
        {{ weight_level_key('states.deepest_tier_rank', 'states.deepest_weight') }} as weight_key,
        case when states.is_last then 1 else 0 end as is_last,
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

-- a session passes through a tier, or a weight of one, once, however many states it had there
weight_steps as (

    select
        session_key,
        macro_conversion,
        deepest_tier_rank,
        weight_key,
        intent_class,
        visitor_type,
        credit,
        max(is_last) as is_last

    from steps
    group by
        session_key,
        macro_conversion,
        deepest_tier_rank,
        weight_key,
        intent_class,
        visitor_type,
        credit

),

tier_steps as (

    select
        session_key,
        macro_conversion,
        deepest_tier_rank,
        intent_class,
        visitor_type,
        credit,
        max(is_last) as is_last

    from weight_steps
    group by
        session_key, macro_conversion, deepest_tier_rank, intent_class, visitor_type, credit

),

totals as (

    select
        macro_conversion,
        intent_class,
        visitor_type,
        'tier' as level,
        deepest_tier_rank,
        cast(null as bigint) as weight_key,
        cast(deepest_tier_rank as bigint) as state_key,
        count(*) as passed,
        sum(credit) as passed_credit,
        sum(credit * credit) as passed_squares,
        sum(is_last) as ended,
        sum(is_last * credit) as ended_credit,
        sum(is_last * credit * credit) as ended_squares

    from tier_steps
    group by macro_conversion, intent_class, visitor_type, deepest_tier_rank

    union all

    select
        macro_conversion,
        intent_class,
        visitor_type,
        'weight' as level,
        deepest_tier_rank,
        weight_key,
        weight_key as state_key,
        count(*) as passed,
        sum(credit) as passed_credit,
        sum(credit * credit) as passed_squares,
        sum(is_last) as ended,
        sum(is_last * credit) as ended_credit,
        sum(is_last * credit * credit) as ended_squares

    from weight_steps
    group by macro_conversion, intent_class, visitor_type, deepest_tier_rank, weight_key

    union all

    select
        macro_conversion,
        intent_class,
        visitor_type,
        'state' as level,
        max(deepest_tier_rank) as deepest_tier_rank,
        max(weight_key) as weight_key,
        state_key,
        count(*) as passed,
        sum(credit) as passed_credit,
        sum(credit * credit) as passed_squares,
        sum(is_last) as ended,
        sum(is_last * credit) as ended_credit,
        sum(is_last * credit * credit) as ended_squares

    from steps
    group by macro_conversion, intent_class, visitor_type, state_key

),

groups_of_segments as (

    select
        totals.macro_conversion,
        totals.intent_class,
        totals.visitor_type,
        totals.level,
        totals.deepest_tier_rank,
        totals.weight_key,
        totals.state_key,
        moments.moment,
        case when moments.is_end = 0 then totals.passed else totals.ended end as sessions,
        case when moments.is_end = 0 then totals.passed_credit else totals.ended_credit end
            as credit,
        case when moments.is_end = 0 then totals.passed_squares else totals.ended_squares end
            as squares

    from totals
    cross join moments

),

-- a weight over all segments is a group of its own, below its tier
groups as (

    select
        macro_conversion,
        intent_class,
        visitor_type,
        level,
        deepest_tier_rank,
        weight_key,
        state_key,
        moment,
        sessions,
        credit,
        squares

    from groups_of_segments

    union all

    select
        macro_conversion,
        '(all)' as intent_class,
        '(all)' as visitor_type,
        'weight_of_all' as level,
        deepest_tier_rank,
        weight_key,
        state_key,
        moment,
        sum(sessions) as sessions,
        sum(credit) as credit,
        sum(squares) as squares

    from groups_of_segments
    where level = 'weight'
    group by macro_conversion, deepest_tier_rank, weight_key, state_key, moment

),

-- a family: the segments or the weights of a tier, the segments of a weight, or the states of
-- a weight within one segment
families as (

    select
        macro_conversion,
        level,
        deepest_tier_rank,
        moment,
        count(*) - 1 as degrees_of_freedom,
        sum(sessions) - 1.0 * sum(sessions * sessions) / sum(sessions) - (count(*) - 1)
            as effective_size,
        sum(credit * credit / sessions) - sum(credit) * sum(credit) / sum(sessions)
            as between_groups,
        sum(squares / sessions) - sum(squares) / sum(sessions)
        - (count(*) - 1) * power(sum(credit) / sum(sessions), 2) as chance

    from groups
    where sessions > 0
    group by
        macro_conversion,
        level,
        deepest_tier_rank,
        moment,
        case when level in ('weight', 'state') then weight_key end,
        case when level = 'state' then intent_class end,
        case when level = 'state' then visitor_type end

),

-- rare states are deep ones, where credit is larger and scatters more: each group's own squares say
-- how far its mean would lie off by chance, and what the means lie off beyond that is between them
variances as (

    select
        macro_conversion,
        level,
        deepest_tier_rank,
        moment,
        sum(chance) / nullif(sum(degrees_of_freedom), 0) as chance,
        sum(between_groups - chance) / nullif(sum(effective_size), 0) as between_variance

    from families
    group by macro_conversion, level, deepest_tier_rank, moment

),

strengths as (

    select
        macro_conversion,
        level,
        deepest_tier_rank,
        moment,
        {{ credibility(
            'greatest(chance - between_variance, 0.0)',
            'between_variance',
            var('state_prior_sessions')
        ) }} as prior_sessions

    from variances

),

tier_groups as (

    select * from groups
    where level = 'tier'

),

tier_sums as (

    select
        macro_conversion,
        deepest_tier_rank,
        moment,
        sum(credit) / nullif(sum(sessions), 0) as mean_credit

    from tier_groups
    group by macro_conversion, deepest_tier_rank, moment

),

-- a tier that was seen speaks for itself, another has the value of the start: tier 0, which every
-- session passes through
tiers_of_all as (

    select
        goals.macro_conversion,
        tiers.deepest_tier_rank,
        moments.moment,
        coalesce(tier_sums.mean_credit, starts.mean_credit, 0.0) as mean_credit

    from goals
    cross join tiers
    cross join moments
    left join tier_sums
        on goals.macro_conversion = tier_sums.macro_conversion
        and tiers.deepest_tier_rank = tier_sums.deepest_tier_rank
        and moments.moment = tier_sums.moment
    left join tier_sums as starts
        on goals.macro_conversion = starts.macro_conversion
        and starts.deepest_tier_rank = 0
        and starts.moment = 'passed'

),

tiers_of_segments as (

    select
        tiers_of_all.macro_conversion,
        segments.intent_class,
        segments.visitor_type,
        tiers_of_all.deepest_tier_rank,
        tiers_of_all.moment,
        coalesce(tier_groups.sessions, 0) as sessions,
        {{ shrunk_mean(
            'coalesce(tier_groups.credit, 0.0)', 'coalesce(tier_groups.sessions, 0)',
            'tiers_of_all.mean_credit',
            'coalesce(strengths.prior_sessions, ' ~ var('state_prior_sessions') ~ ')'
        ) }} as mean_credit

    from tiers_of_all
    cross join segments
    left join tier_groups
        on tiers_of_all.macro_conversion = tier_groups.macro_conversion
        and tiers_of_all.deepest_tier_rank = tier_groups.deepest_tier_rank
        and tiers_of_all.moment = tier_groups.moment
        and segments.intent_class = tier_groups.intent_class
        and segments.visitor_type = tier_groups.visitor_type
    left join strengths
        on tiers_of_all.macro_conversion = strengths.macro_conversion
        and strengths.level = 'tier'
        and tiers_of_all.deepest_tier_rank = strengths.deepest_tier_rank
        and tiers_of_all.moment = strengths.moment

),

-- a weight that no session reached has no row: its tier speaks
weights_of_all as (

    select
        groups.macro_conversion,
        groups.weight_key,
        groups.deepest_tier_rank,
        groups.moment,
        {{ shrunk_mean(
            'groups.credit', 'groups.sessions', 'tiers_of_all.mean_credit',
            'coalesce(strengths.prior_sessions, ' ~ var('state_prior_sessions') ~ ')'
        ) }} as mean_credit

    from groups
    inner join tiers_of_all
        on groups.macro_conversion = tiers_of_all.macro_conversion
        and groups.deepest_tier_rank = tiers_of_all.deepest_tier_rank
        and groups.moment = tiers_of_all.moment
    left join strengths
        on groups.macro_conversion = strengths.macro_conversion
        and groups.level = strengths.level
        and groups.deepest_tier_rank = strengths.deepest_tier_rank
        and groups.moment = strengths.moment
    where groups.level = 'weight_of_all'

),

weight_groups as (

    select * from groups
    where level = 'weight'

),

weights_of_segments as (

    select
        weights_of_all.macro_conversion,
        segments.intent_class,
        segments.visitor_type,
        weights_of_all.weight_key,
        weights_of_all.moment,
        coalesce(weight_groups.sessions, 0) as sessions,
        {{ shrunk_mean(
            'coalesce(weight_groups.credit, 0.0)', 'coalesce(weight_groups.sessions, 0)',
            'weights_of_all.mean_credit',
            'coalesce(strengths.prior_sessions, ' ~ var('state_prior_sessions') ~ ')'
        ) }} as mean_credit

    from weights_of_all
    cross join segments
    left join weight_groups
        on weights_of_all.macro_conversion = weight_groups.macro_conversion
        and weights_of_all.weight_key = weight_groups.weight_key
        and weights_of_all.moment = weight_groups.moment
        and segments.intent_class = weight_groups.intent_class
        and segments.visitor_type = weight_groups.visitor_type
    left join strengths
        on weights_of_all.macro_conversion = strengths.macro_conversion
        and strengths.level = 'weight'
        and weights_of_all.deepest_tier_rank = strengths.deepest_tier_rank
        and weights_of_all.moment = strengths.moment

),

values_by_moment as (

    select
        macro_conversion,
        intent_class,
        visitor_type,
        'tier' as level,
        cast(deepest_tier_rank as bigint) as state_key,
        moment,
        sessions,
        mean_credit

    from tiers_of_segments

    union all

    select
        macro_conversion,
        intent_class,
        visitor_type,
        'weight' as level,
        weight_key as state_key,
        moment,
        sessions,
        mean_credit

    from weights_of_segments

    union all

    select
        groups.macro_conversion,
        groups.intent_class,
        groups.visitor_type,
        groups.level,
        groups.state_key,
        groups.moment,
        groups.sessions,
        {{ shrunk_mean(
            'groups.credit', 'groups.sessions', 'parents.mean_credit',
            'coalesce(strengths.prior_sessions, ' ~ var('state_prior_sessions') ~ ')'
        ) }} as mean_credit

    from groups
    inner join weights_of_segments as parents
        on groups.macro_conversion = parents.macro_conversion
        and groups.intent_class = parents.intent_class
        and groups.visitor_type = parents.visitor_type
        and groups.weight_key = parents.weight_key
        and groups.moment = parents.moment
    left join strengths
        on groups.macro_conversion = strengths.macro_conversion
        and strengths.level = 'state'
        and groups.deepest_tier_rank = strengths.deepest_tier_rank
        and groups.moment = strengths.moment
    where groups.level = 'state'

)

select
    macro_conversion,
    intent_class,
    visitor_type,
    level,
    state_key,
    cast(sum(case when moment = 'passed' then sessions else 0 end) as bigint) as passed,
    cast(sum(case when moment = 'ended' then sessions else 0 end) as bigint) as ended,
    cast(
        round(max(case when moment = 'passed' then mean_credit end), 4) as decimal(18, 4)
    ) as passed_value,
    cast(
        round(max(case when moment = 'ended' then mean_credit end), 4) as decimal(18, 4)
    ) as ended_value

from values_by_moment
group by macro_conversion, intent_class, visitor_type, level, state_key
