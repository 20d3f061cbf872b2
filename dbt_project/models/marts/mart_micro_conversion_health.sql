with

probabilities as (

    select * from {{ ref('mart_conversion_probabilities') }}
    where intent_class = '(all)' and visitor_type = '(all)'

),

micro_values as (

    select * from {{ ref('mart_micro_values') }}
    where intent_class = '(all)' and visitor_type = '(all)'

),

versions as (

    select
        micro_values.valid_from,
        micro_values.average_macro_value,
        micro_values.incremental_value,
        micro_values.value,
        probabilities.*

    from probabilities
    inner join micro_values
        on probabilities.value_version = micro_values.value_version
        and probabilities.micro_conversion = micro_values.micro_conversion
        and probabilities.macro_conversion = micro_values.macro_conversion

),

versions_with_previous as (

    select
        *,
        lag(trials) over (
            partition by micro_conversion, macro_conversion order by valid_from
        ) as previous_trials,
        lag(conversions) over (
            partition by micro_conversion, macro_conversion order by valid_from
        ) as previous_conversions,
        -- without an amount, or a session whose credit was settled, no act adds any
        max(abs(incremental_value)) over (
            partition by value_version, macro_conversion
        ) > 0 as is_money_known

    from versions

),

-- the first that applies: what cannot be judged, what deceives, what says nothing, what others say.
-- What was never done, or never followed by the goal, has no growth that could deceive; and that as
-- few as before reached the goal must be beyond chance, as for the traps of campaigns
versions_judged as (

    select
        *,
        case
            when verdict = 'too_few' then 'rare'
            when verdict = 'misleading' then 'trap'
            when
                trials >= {{ var('trap_growth') }} * previous_trials
                and conversions <= previous_conversions
                and previous_conversions > 0
                and {{ grew_apart(
                    'trials', 'previous_trials', 'conversions', 'previous_conversions'
                ) }}
                then 'trap'
            when verdict = 'unclear' then 'too_soft'
            when
                is_money_known
                and incremental_value <= {{ var('redundant_share') }} * average_macro_value
                then 'redundant'
            else 'none'
        end as reason

    from versions_with_previous

)

select
    value_version,
    micro_conversion,
    macro_conversion,
    case
        when reason = 'none' then 'keep'
        when verdict = 'misleading' then 'drop'
        when reason = 'too_soft' and lift_upper < {{ var('negligible_lift') }} then 'drop'
        else 'watch'
    end as recommendation,
    reason,
    case
        when reason = 'rare'
            then 'Rare: it happened too seldom to say what it announces; wait for more.'
        when reason = 'trap' and verdict = 'misleading'
            then 'Trap: those who do it reach the goal less often than those who do not.'
        when reason = 'trap'
            then 'Trap: it happens more often than before, but the goal is not reached more often.'
        when reason = 'too_soft' and lift_upper < {{ var('negligible_lift') }}
            then 'Too soft: those who do it reach the goal no more often than anybody.'
        when reason = 'too_soft'
            then 'Too soft so far: whether the goal is reached more often after it cannot be told '
            || 'from chance.'
        when reason = 'redundant'
            then 'Redundant: it announces the goal, but the other steps of the visit do so already.'
        when not is_money_known
            then 'It announces the goal; what it adds is not known, since no settled session '
            || 'before the version brought a known amount of it.'
        else 'It announces the goal and adds to what the other steps say.'
    end as explanation,
    trials,
    conversions,
    previous_trials,
    previous_conversions,
    probability,
    base_probability,
    lift,
    lift_lower,
    lift_upper,
    verdict,
    average_macro_value,
    incremental_value,
    value

from versions_judged
