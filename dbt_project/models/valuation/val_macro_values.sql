{{ config(tags=['quarterly']) }}

with

macro_conversions as (

    select * from {{ ref('val_macro_conversions') }}

),

sessions as (

    select * from {{ ref('val_sessions') }}
    where is_in_look_back

),

goals as (

    select * from {{ ref('int_conversion_rules') }}
    where conversion_type = 'macro'

),

-- an order of which no amount is known says nothing about the average
macros_read as (

    select
        macro_conversions.macro_conversion,
        macro_conversions.value,
        sessions.intent_class,
        sessions.visitor_type

    from macro_conversions
    inner join sessions on macro_conversions.session_key = sessions.session_key
    where macro_conversions.value_source <> 'none'

),

ceilings as (

    select
        macro_conversion,
        {{ winsor_ceiling('value') }} as ceiling

    from macros_read
    group by macro_conversion

),

macros_with_ceiling as (

    select
        macros_read.macro_conversion,
        macros_read.intent_class,
        macros_read.visitor_type,
        macros_read.value,
        ceilings.ceiling

    from macros_read
    inner join ceilings on macros_read.macro_conversion = ceilings.macro_conversion

),

-- summed as decimals: a sum of doubles would depend on the order of the rows
totals as (

    select
        macro_conversion,
        coalesce(intent_class, '(all)') as intent_class,
        coalesce(visitor_type, '(all)') as visitor_type,
        count(*) as macros,
        cast(sum(case when value <= ceiling then value else 0 end) as double)
        + max(ceiling) * count(case when value > ceiling then 1 end) as value

    from macros_with_ceiling
    group by grouping sets (
        (macro_conversion),
        (macro_conversion, intent_class),
        (macro_conversion, intent_class, visitor_type)
    )

),

segments as (

    select * from {{ ref('val_segments') }}

),

totals_of_segments as (

    select
        goals.conversion as macro_conversion,
        segments.intent_class,
        segments.visitor_type,
        goals.default_value,
        coalesce(totals.macros, 0) as macros,
        coalesce(totals.value, 0.0) as value

    from goals
    cross join segments
    left join totals
        on goals.conversion = totals.macro_conversion
        and segments.intent_class = totals.intent_class
        and segments.visitor_type = totals.visitor_type

),

-- the business's own estimate counts for some orders, then each parent for its children
averages_of_all as (

    select
        *,
        {{ shrunk_mean('value', 'macros', 'default_value', var('macro_value_prior_orders')) }}
            as average_macro_value

    from totals_of_segments
    where intent_class = '(all)' and visitor_type = '(all)'

),

averages_of_intents as (

    select
        children.*,
        {{ shrunk_mean(
            'children.value', 'children.macros', 'parents.average_macro_value',
            var('macro_value_prior_orders')
        ) }} as average_macro_value

    from totals_of_segments as children
    inner join averages_of_all as parents
        on children.macro_conversion = parents.macro_conversion
    where children.intent_class <> '(all)' and children.visitor_type = '(all)'

),

averages_of_segments as (

    select
        children.*,
        {{ shrunk_mean(
            'children.value', 'children.macros', 'parents.average_macro_value',
            var('macro_value_prior_orders')
        ) }} as average_macro_value

    from totals_of_segments as children
    inner join averages_of_intents as parents
        on children.macro_conversion = parents.macro_conversion
        and children.intent_class = parents.intent_class
    where children.visitor_type <> '(all)'

)

select * from averages_of_all

union all

select * from averages_of_intents

union all

select * from averages_of_segments
