with

orders as (

    select * from {{ source('raw', 'orders') }}

)

select
    load_id,
    row_number,
    file_name,
    landed_at,
    trim(order_id) as order_id,
    ordered_at,
    value,
    coalesce({{ stated_currency('currency') }}, '{{ var("reporting_currency") }}') as currency,
    lower(status) as status,
    unreadable

from orders
