-- A row comes back when a rule is answered wrongly. Its operator is written out, as that of each is
-- when events are asked, so that an engine looks at all branches before it runs.
with

pages (page) as (

    values ('shop.example/c++?ref=(7')

),

answers as (

    select
        {{ is_met('page', "'contains'", "'?ref=('") }} as contains_it,
        {{ is_met('page', "'='", "'shop.example/c++?ref=(7'") }} as equals_it,
        {{ is_met('page', "'!='", "'*'") }} as is_another,
        {{ is_met('page', "'matches'", "'[?]ref=.[0-9]$'") }} as matches_it

    from pages

)

select *
from answers
where not (contains_it and equals_it and is_another and matches_it)
