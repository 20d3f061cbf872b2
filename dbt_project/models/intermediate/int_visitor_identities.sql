{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key='visitor_key',
    meta={'notes_changes': true, 'speaks_of': ['visitor_key'], 'part_by': 'visitor_key'},
    post_hook="{{ remember_arrivals() }}"
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

all_logins as (

    select * from {{ ref('int_logins') }}

),

new_logins as (

    select * from {{ ref('int_logins') }}
    where {{ arrived_since_last_build() }}

),

-- nobody else's last login is another one; distinct: a visitor is looked up once
visitors_with_new_logins as (

    select distinct visitor_key from new_logins

),

logins as (

    select all_logins.*

    from all_logins
    inner join visitors_with_new_logins
        on all_logins.visitor_key = visitors_with_new_logins.visitor_key

),

logins_ranked as (

    select
        visitor_key,
        user_id,
        user_key,
        {{ login_rank() }} as login_rank

    from logins

)

select
    visitor_key,
    user_id,
    user_key

from logins_ranked
where login_rank = 1
