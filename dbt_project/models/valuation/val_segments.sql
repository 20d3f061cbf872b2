{{ config(materialized='view') }}

with

intent_rules as (

    select * from {{ ref('intent_rules') }}

),

intent_classes as (

    select intent_class from intent_rules

    union

    select 'other' as intent_class

),

visitor_types as (

    select 'new' as visitor_type

    union all

    select 'returning' as visitor_type

)

select
    '(all)' as intent_class,
    '(all)' as visitor_type

union all

select
    intent_class,
    '(all)' as visitor_type

from intent_classes

union all

select
    intent_classes.intent_class,
    visitor_types.visitor_type

from intent_classes
cross join visitor_types
