-- One row comes back for each day of a funnel whose next step was entered by more or fewer than
-- went on to it.
with

steps as (

    select
        *,
        lag(continued) over (
            partition by funnel, date, channel_group, grain order by step_number
        ) as continued_to_it

    from {{ ref('mart_funnel_steps') }}

)

select *

from steps
where
    (step_number > 1 and entered <> coalesce(continued_to_it, -1))
    or continued > entered
