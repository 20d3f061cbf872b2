with

version_customers as (

    select * from {{ ref('val_version_customers') }}

),

periods as (

    select * from {{ ref('val_version_periods') }}

)

select
    version_customers.value_version,
    version_customers.micro_conversion,
    version_customers.macro_conversion,
    version_customers.intent_class,
    version_customers.visitor_type,
    version_customers.baskets,
    version_customers.basket_value,
    version_customers.basket_value_lower,
    version_customers.basket_value_upper,
    version_customers.lifetime_users,
    version_customers.lifetime_orders,
    version_customers.lifetime_value,
    version_customers.lifetime_value_lower,
    version_customers.lifetime_value_upper,
    version_customers.lifetime_maturity,
    periods.restatement

from version_customers
inner join periods
    on version_customers.value_version = periods.value_version
    and version_customers.restatement = periods.restatement
