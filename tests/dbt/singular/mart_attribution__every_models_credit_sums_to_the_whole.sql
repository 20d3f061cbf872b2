{%- set written = ['val_session_values', 'mart_sessions'] %}
{{ config(meta={'tests_what_is_written': written}) }}
-- One row comes back for each model whose credit does not sum to all macro-conversions, their
-- money and the incremental value of all micro-conversions, also when the model has no row at all
-- or a name that is none of the eight; and for time_decay, when its revenue differs from the money
-- credited to the sessions on a day of any campaign. A night looks at the days of the sessions that
-- it wrote, and at all days together.
{% set names = [
    'first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay', 'markov', 'shapley'
] -%}

with

models as (

    {% for name in names %}
        select '{{ name }}' as model
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

attribution as (

    select * from {{ ref('mart_attribution') }}

),

credited as (

    select
        model,
        sum(credited_conversions) as conversions,
        sum(credited_revenue) as revenue,
        sum(credited_micro_value) as micro_value,
        min(case when model = 'markov' then credited_conversions else 0 end) as least_conversions,
        min(credited_revenue) as least_revenue

    from attribution
    group by model

),

macros as (

    select
        count(*) as conversions,
        coalesce(sum(value), 0) as revenue

    from {{ ref('int_macro_conversions') }}

),

micros as (

    select coalesce(sum(incremental_value), 0) as micro_value
    from {{ ref('mart_micro_conversions') }}

),

sessions_written as (

    select * from {{ ref('mart_sessions') }}
    where {{ is_on_untested_date('session_date', written) }}

),

session_values as (

    select * from {{ ref('val_session_values') }}

),

-- of orders as placed: what was given back later is no matter of attribution. Most sessions are
-- credited with nothing, which adds nothing
attributed as (

    select
        sessions_written.session_date as date,
        sessions_written.channel_group,
        sessions_written.campaign,
        sum(session_values.attributed_revenue) as revenue

    from session_values
    inner join sessions_written
        on session_values.public_session_key = sessions_written.session_key
    where session_values.attributed_revenue <> 0
    group by
        sessions_written.session_date,
        sessions_written.channel_group,
        sessions_written.campaign

),

decayed as (

    select * from attribution
    where
        model = 'time_decay'
        and {{ is_on_untested_date('date', written) }}

)

select
    coalesce(models.model, credited.model) as model,
    credited.revenue,
    macros.revenue as expected_revenue

from models
full join credited on models.model = credited.model
cross join macros
cross join micros
where
    models.model is null
    or coalesce(credited.conversions, 0) <> macros.conversions
    or coalesce(credited.revenue, 0) <> macros.revenue
    or coalesce(credited.micro_value, 0) <> micros.micro_value
    or credited.least_conversions < 0
    or credited.least_revenue < 0

union all

select
    'time_decay on ' || cast(coalesce(attributed.date, decayed.date) as string) as model,
    decayed.credited_revenue as revenue,
    attributed.revenue as expected_revenue

from attributed
full join decayed
    on attributed.date = decayed.date
    and attributed.channel_group = decayed.channel_group
    and attributed.campaign = decayed.campaign
where coalesce(decayed.credited_revenue, 0) <> coalesce(attributed.revenue, 0)
