{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['funnel', 'step_number', 'date', 'channel_group', 'grain'],
    on_schema_change='fail',
    meta={'follows_changes': true},
    post_hook="{{ remember_changes() }}"
) }}

{#- as far back as int_funnel_progress replaces entries -#}
{%- set first_date = first_date_changed(2 * days_before_a_step()) %}

with

progress as (

    select * from {{ ref('int_funnel_progress') }}
    where date >= date '{{ first_date }}'

),

funnels as (

    select * from {{ ref('funnels') }}
    where starter_pack = '{{ var("starter_pack") }}'

),

last_steps as (

    select
        funnel,
        max(step_number) as step_number

    from funnels
    group by funnel

),

steps_counted as (

    select
        funnel,
        step_number,
        date,
        channel_group,
        grain,
        count(*) as entered,
        sum(case when continued then 1 else 0 end) as continued,
        {{ quantile('seconds_to_step', 0.5) }} as median_seconds_to_step,
        {{ quantile('seconds_to_step', 0.9) }} as p90_seconds_to_step

    from progress
    group by funnel, step_number, date, channel_group, grain

)

select
    steps_counted.funnel,
    steps_counted.step_number,
    funnels.event_name,
    steps_counted.date,
    steps_counted.channel_group,
    steps_counted.grain,
    cast(steps_counted.entered as bigint) as entered,
    cast(
        case
            when steps_counted.step_number < last_steps.step_number then steps_counted.continued
        end as bigint
    ) as continued,
    cast(steps_counted.median_seconds_to_step as double) as median_seconds_to_step,
    cast(steps_counted.p90_seconds_to_step as double) as p90_seconds_to_step

from steps_counted
inner join funnels
    on steps_counted.funnel = funnels.funnel
    and steps_counted.step_number = funnels.step_number
inner join last_steps on steps_counted.funnel = last_steps.funnel

{% if is_incremental() %}
    union all

    select
        funnel,
        step_number,
        event_name,
        date,
        channel_group,
        grain,
        entered,
        continued,
        median_seconds_to_step,
        p90_seconds_to_step

    from {{ this }}
    where date < date '{{ first_date }}'
{% endif %}
