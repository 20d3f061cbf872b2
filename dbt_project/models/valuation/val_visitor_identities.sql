{{ config(tags=['quarterly']) }}

with

logins as (

    select * from {{ ref('int_logins') }}
    where occurred_at < {{ version_moment() }}

),

logins_ranked as (

    select
        visitor_key,
        user_key,
        {{ login_rank() }} as login_rank

    from logins

)

select
    visitor_key,
    user_key

from logins_ranked
where login_rank = 1
