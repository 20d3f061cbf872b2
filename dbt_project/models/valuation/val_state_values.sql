{{ config(tags=['quarterly']) }}

with

state_steps as (

    select * from {{ ref('val_state_steps') }}

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

states as (

    select
        macro_conversion,
        state_key,
        max(deepest_tier_rank) as deepest_tier_rank,
        max(weight_key) as weight_key

    from state_steps
    group by macro_conversion, state_key

),

-- a session passes through a tier, or a weight of one, once, however many states it had there
steps as (

    select
        state_steps.*,
        coalesce(states.deepest_tier_rank <> state_steps.deepest_tier_rank, true)
            as enters_tier,
        coalesce(states.weight_key <> state_steps.weight_key, true) as enters_weight

    from state_steps
    left join states
        on state_steps.macro_conversion = states.macro_conversion
        and state_steps.state_key_before = states.state_key

),

-- the two averages: of sessions that passed through a state, of those that ended in it
steps_by_moment as (

    select
        macro_conversion,
        intent_class,
        visitor_type,
        deepest_tier_rank,
        weight_key,
        state_key,
        enters_tier,
        enters_weight,
        'passed' as moment,
        passed as sessions,
        passed_credit as credit,
        passed_squares as squares

    from steps

    union all

    select
        macro_conversion,
        intent_class,
        visitor_type,
        deepest_tier_rank,
        weight_key,
        state_key,
        true as enters_tier,
        true as enters_weight,
        'ended' as moment,
        ended as sessions,
        ended_credit as credit,
        ended_squares as squares

    from steps

),

-- each level sums its own: a segment's and, as their parents, those of all
totals as (

    {% for level, key, enters in [
        ('tier', 'deepest_tier_rank', 'enters_tier'),
        ('weight', 'weight_key', 'enters_weight'),
        ('state', 'state_key', 'true'),
    ] %}
        {% for is_of_all in [false, true] %}
            select
                macro_conversion,
                '{{ level }}{{ '_of_all' if is_of_all }}' as level,
                {{ "'(all)'" if is_of_all else 'intent_class' }} as intent_class,
                {{ "'(all)'" if is_of_all else 'visitor_type' }} as visitor_type,
                cast({{ key }} as bigint) as state_key,
                moment,
                max(deepest_tier_rank) as deepest_tier_rank,
                max(weight_key) as weight_key,
                sum(sessions) as sessions,
                sum(credit) as credit,
                sum(squares) as squares

            from steps_by_moment
            where {{ enters }}
            group by
                macro_conversion,
                {% if not is_of_all %}
                    intent_class,
                    visitor_type,
                {% endif %}
                {{ key }},
                moment

            {% if level != 'state' or not is_of_all %}
                union all
            {% endif %}
        {% endfor %}
    {% endfor %}

),

moments as (

    select 'passed' as moment

    union all

    select 'ended' as moment

),

-- each group and the one of all segments that it leans on. Tiers are there unseen, and weights in
-- every segment
members as (

    select
        goals.macro_conversion,
        'tier_of_all' as level,
        '(all)' as intent_class,
        '(all)' as visitor_type,
        cast(tiers.deepest_tier_rank as bigint) as state_key,
        moments.moment,
        tiers.deepest_tier_rank,
        cast(0 as bigint) as parent_key

    from goals
    cross join tiers
    cross join moments

    union all

    select
        goals.macro_conversion,
        'tier' as level,
        segments.intent_class,
        segments.visitor_type,
        cast(tiers.deepest_tier_rank as bigint) as state_key,
        moments.moment,
        tiers.deepest_tier_rank,
        cast(tiers.deepest_tier_rank as bigint) as parent_key

    from goals
    cross join tiers
    cross join moments
    cross join segments

    union all

    select
        macro_conversion,
        level,
        intent_class,
        visitor_type,
        state_key,
        moment,
        deepest_tier_rank,
        cast(deepest_tier_rank as bigint) as parent_key

    from totals
    where level = 'weight_of_all'

    union all

    select
        totals.macro_conversion,
        'weight' as level,
        segments.intent_class,
        segments.visitor_type,
        totals.state_key,
        totals.moment,
        totals.deepest_tier_rank,
        totals.state_key as parent_key

    from totals
    cross join segments
    where totals.level = 'weight_of_all'

    union all

    select
        macro_conversion,
        level,
        intent_class,
        visitor_type,
        state_key,
        moment,
        deepest_tier_rank,
        weight_key as parent_key

    from totals
    where level = 'state_of_all'

),

group_totals as (

    select
        members.*,
        coalesce(totals.sessions, 0) as sessions,
        coalesce(totals.credit, 0.0) as credit,
        coalesce(totals.squares, 0.0) as squares

    from members
    left join totals
        on members.macro_conversion = totals.macro_conversion
        and members.level = totals.level
        and members.intent_class = totals.intent_class
        and members.visitor_type = totals.visitor_type
        and members.state_key = totals.state_key
        and members.moment = totals.moment
    where {{ computed_once() }}

),

-- a family: those that lean on the same
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

    from group_totals
    where sessions > 0 and level <> 'tier_of_all'
    group by
        macro_conversion,
        level,
        deepest_tier_rank,
        moment,
        parent_key

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

-- a tier that was seen at all speaks for itself
groups as (

    select
        group_totals.*,
        case
            when group_totals.level = 'tier_of_all' then 0.0
            else {{ credibility(
                'greatest(variances.chance - variances.between_variance, 0.0)',
                'variances.between_variance',
                var('state_prior_sessions')
            ) }}
        end as prior_sessions

    from group_totals
    left join variances
        on group_totals.macro_conversion = variances.macro_conversion
        and group_totals.level = variances.level
        and group_totals.deepest_tier_rank = variances.deepest_tier_rank
        and group_totals.moment = variances.moment
    where {{ computed_once() }}

),

-- a tier that nobody reached has the value of the start, which every session passes through
means_0 as (

    select
        goals.macro_conversion,
        '(all)' as intent_class,
        '(all)' as visitor_type,
        cast(0 as bigint) as state_key,
        moments.moment,
        coalesce(totals.credit / totals.sessions, 0.0) as mean_credit

    from goals
    cross join moments
    left join totals
        on goals.macro_conversion = totals.macro_conversion
        and totals.level = 'tier_of_all'
        and totals.state_key = 0
        and totals.moment = 'passed'

),

{% for levels in ["'tier_of_all'", "'tier', 'weight_of_all'", "'weight', 'state_of_all'"] %}
    means_{{ loop.index }} as (

        select
            groups.macro_conversion,
            groups.level,
            groups.intent_class,
            groups.visitor_type,
            groups.state_key,
            groups.moment,
            groups.sessions,
            {{ shrunk_mean(
                'groups.credit', 'groups.sessions', 'parents.mean_credit', 'groups.prior_sessions'
            ) }} as mean_credit

        from groups
        inner join means_{{ loop.index0 }} as parents
            on groups.macro_conversion = parents.macro_conversion
            and parents.intent_class = '(all)'
            and groups.parent_key = parents.state_key
            and groups.moment = parents.moment
        where groups.level in ({{ levels }}) and {{ computed_once() }}

    ),

{% endfor %}
-- what a state of a segment leans on: the same state of all, as much more or less as the segment's
-- sessions of that weight are worth beside all
states_expected as (

    select
        totals.macro_conversion,
        totals.intent_class,
        totals.visitor_type,
        totals.state_key,
        totals.moment,
        totals.deepest_tier_rank,
        totals.sessions,
        totals.credit,
        totals.squares,
        coalesce(
            states_of_all.mean_credit * weights.mean_credit / nullif(weights_of_all.mean_credit, 0),
            weights.mean_credit
        ) as expected_credit

    from totals
    inner join means_3 as states_of_all
        on totals.macro_conversion = states_of_all.macro_conversion
        and states_of_all.level = 'state_of_all'
        and totals.state_key = states_of_all.state_key
        and totals.moment = states_of_all.moment
    inner join means_3 as weights
        on totals.macro_conversion = weights.macro_conversion
        and weights.level = 'weight'
        and totals.intent_class = weights.intent_class
        and totals.visitor_type = weights.visitor_type
        and totals.weight_key = weights.state_key
        and totals.moment = weights.moment
    inner join means_2 as weights_of_all
        on totals.macro_conversion = weights_of_all.macro_conversion
        and weights_of_all.level = 'weight_of_all'
        and totals.weight_key = weights_of_all.state_key
        and totals.moment = weights_of_all.moment
    where totals.level = 'state' and {{ computed_once() }}

),

-- as above, round what is expected of each
state_families as (

    select
        macro_conversion,
        deepest_tier_rank,
        moment,
        count(*) as states,
        sum(sessions) - count(*) as effective_size,
        sum(sessions * power(credit / sessions - expected_credit, 2)) as between_groups,
        sum(squares / sessions - power(expected_credit, 2)) as chance

    from states_expected
    where sessions > 0
    group by macro_conversion, deepest_tier_rank, moment

),

state_variances as (

    select
        macro_conversion,
        deepest_tier_rank,
        moment,
        chance / states as chance,
        (between_groups - chance) / nullif(effective_size, 0) as between_variance

    from state_families

),

state_strengths as (

    select
        macro_conversion,
        deepest_tier_rank,
        moment,
        {{ credibility(
            'greatest(chance - between_variance, 0.0)',
            'between_variance',
            var('state_prior_sessions')
        ) }} as prior_sessions

    from state_variances

),

states_with_mean as (

    select
        states_expected.macro_conversion,
        'state' as level,
        states_expected.intent_class,
        states_expected.visitor_type,
        states_expected.state_key,
        states_expected.moment,
        states_expected.sessions,
        {{ shrunk_mean(
            'states_expected.credit', 'states_expected.sessions',
            'states_expected.expected_credit',
            'coalesce(state_strengths.prior_sessions, ' ~ var('state_prior_sessions') ~ ')'
        ) }} as mean_credit

    from states_expected
    left join state_strengths
        on states_expected.macro_conversion = state_strengths.macro_conversion
        and states_expected.deepest_tier_rank = state_strengths.deepest_tier_rank
        and states_expected.moment = state_strengths.moment

),

values_by_moment as (

    select * from means_2
    where level = 'tier'

    union all

    select * from means_3
    where level = 'weight'

    union all

    select
        macro_conversion,
        level,
        intent_class,
        visitor_type,
        state_key,
        moment,
        sessions,
        mean_credit

    from states_with_mean

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
        {{ rounded("max(case when moment = 'passed' then mean_credit end)", 4) }} as decimal(18, 4)
    ) as passed_value,
    cast(
        {{ rounded("max(case when moment = 'ended' then mean_credit end)", 4) }} as decimal(18, 4)
    ) as ended_value

from values_by_moment
group by macro_conversion, intent_class, visitor_type, level, state_key
