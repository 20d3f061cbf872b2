{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key='visitor_key',
    meta={'notes_changes': true, 'speaks_of': ['visitor_key']}
) }}
-- depends_on: {{ ref('int_all_sessions') }}

with

logins as (

    select * from {{ ref('int_logins') }}

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
