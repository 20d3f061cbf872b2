{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['date', 'source_system', 'event_name'],
    on_schema_change='fail'
) }}

{%- set reasons = [
    'unreadable_row', 'consent_denied', 'no_visitor', 'unreadable_time', 'no_time',
    'before_project_start', 'in_the_future', 'no_event_name', 'unreadable_value',
    'unreadable_properties', 'bot', 'currency_without_rate'
] -%}

with

event_counts as (

    select * from {{ ref('int_event_counts') }}

),

event_dictionary as (

    select * from {{ ref('event_dictionary') }}

),

-- how the dictionary's names are spelled, to find the unknown ones that mean the same
known_spellings as (

    select
        source_system,
        {{ name_skeleton('source_event_name') }} as skeleton,
        event_name

    from event_dictionary

    union all

    select
        source_system,
        {{ name_skeleton('event_name') }} as skeleton,
        event_name

    from event_dictionary

),

by_day as (

    select
        date,
        source_system,
        source_event_name,
        event_name,
        sum(events) as events,
        sum(case when outcome = 'accepted' then events else 0 end) as accepted,
        sum(case when outcome = 'duplicate' then events else 0 end) as duplicate,
        sum(case when outcome = 'refused' then events else 0 end) as refused,
        {%- for reason in reasons %}
            sum(case when reason = '{{ reason }}' then events else 0 end) as refused_{{ reason }},
        {%- endfor %}
        sum(incomplete) as incomplete,
        sum(late) as late

    from event_counts
    group by date, source_system, source_event_name, event_name

),

-- the last day that is over: what landed in the night belongs to a day that has only begun
last_days as (

    select
        least(
            max(date), cast({{ dbt.dateadd('day', -1, 'max(landed_date)') }} as date)
        ) as last_date

    from event_counts

),

days_with_next as (

    select
        by_day.source_system,
        by_day.source_event_name,
        by_day.event_name,
        by_day.date,
        last_days.last_date,
        lead(by_day.date, 1, date '9999-12-31') over (
            partition by by_day.source_system, by_day.source_event_name order by by_day.date
        ) as next_date

    from by_day
    cross join last_days

),

days_after as (

    select number + 1 as days
    from {{ whole_numbers_below(var('audit_memory_days')) }}

),

-- a tag that fell silent writes no row: it gets one of zeros for each day
silent_days as (

    select
        cast({{ dbt.dateadd('day', 'days_after.days', 'days_with_next.date') }} as date) as date,
        days_with_next.source_system,
        days_with_next.source_event_name,
        days_with_next.event_name

    from days_with_next
    cross join days_after
    where
        {{ dbt.dateadd('day', 'days_after.days', 'days_with_next.date') }}
        < days_with_next.next_date
        and {{ dbt.dateadd('day', 'days_after.days', 'days_with_next.date') }}
        <= days_with_next.last_date

),

all_days as (

    select * from by_day

    union all

    select
        date,
        source_system,
        source_event_name,
        event_name,
        0 as events,
        0 as accepted,
        0 as duplicate,
        0 as refused,
        {%- for reason in reasons %}
            0 as refused_{{ reason }},
        {%- endfor %}
        0 as incomplete,
        0 as late

    from silent_days

),

likely_aliases as (

    select
        by_day.source_system,
        by_day.source_event_name,
        min(known_spellings.event_name) as event_name

    from by_day
    inner join known_spellings
        on {{ name_skeleton('by_day.source_event_name') }} = known_spellings.skeleton
        and known_spellings.source_system in (by_day.source_system, 'any')
    where by_day.event_name is null
    group by by_day.source_system, by_day.source_event_name

)

select
    all_days.date,
    all_days.source_system,
    all_days.source_event_name as event_name,
    all_days.event_name as known_as,
    likely_aliases.event_name as likely_alias_of,
    cast(all_days.events as bigint) as raw,
    cast(all_days.accepted as bigint) as accepted,
    cast(all_days.duplicate as bigint) as duplicate,
    cast(all_days.refused as bigint) as refused,
    {%- for reason in reasons %}
        cast(all_days.refused_{{ reason }} as bigint) as refused_{{ reason }},
    {%- endfor %}
    cast(case when all_days.event_name is null then all_days.accepted else 0 end as bigint)
        as unknown,
    cast(all_days.incomplete as bigint) as incomplete,
    cast(all_days.late as bigint) as late,
    cast(
        coalesce(sum(all_days.accepted) over (
            partition by all_days.source_system, all_days.source_event_name
            order by all_days.date
            range between interval {{ var('audit_memory_days') }} days preceding
            and interval 1 days preceding
        ), 0) as bigint
    ) as accepted_before

from all_days
left join likely_aliases
    on all_days.source_system = likely_aliases.source_system
    and all_days.source_event_name = likely_aliases.source_event_name
