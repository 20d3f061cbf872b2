{{ config(
    materialized='incremental',
    incremental_strategy='replace_differing',
    unique_key=['date', 'channel_group', 'campaign', 'model'],
    on_schema_change='fail',
    meta={'follows_changes': true},
    post_hook="{{ remember_changes() }}"
) }}

{#- its notes reach back by the look-back; the changes that they come of are followed here too -#}
{% set besides = ['int_session_credits'] -%}
{#- a change reaches paths that end within the look-back before it, in their month all conversions,
    and these by the look-back before that -#}
{%- set first_month = first_month_changed(days_of_credit(), days_of_credit(), besides) %}

{% set shared_models = ['linear', 'position', 'time_decay', 'shapley'] -%}
{% set whole_models = ['first', 'last', 'last_non_direct'] -%}
{% set measures = {
    'conversions': ('conversions_linear', 'conversions_linear', 6),
    'revenue': ('revenue_linear', 'revenue_linear', 4),
    'micro_value': ('micro_value_linear', 'micro_value_gross', 4),
} -%}

with

credits_of_touches as (

    select * from {{ ref('val_attribution_credits') }}
    where month >= date '{{ first_month }}'

),

removals as (

    select * from {{ ref('val_channel_removals') }}

),

-- added up before they are told apart: far fewer rows are left for that
credits_added_up as (

    select
        date,
        channel_group,
        campaign,
        month,
        is_macro,
        {% for model in shared_models + whole_models %}
            sum(conversions_{{ model }}) as conversions_{{ model }},
            sum(credit_{{ model }}) as credit_{{ model }},
        {% endfor %}
        sum(abs(credit_linear)) as credit_gross

    from credits_of_touches
    group by date, channel_group, campaign, month, is_macro

),

credits_of_campaigns as (

    select
        date,
        channel_group,
        campaign,
        month,
        {% for model in shared_models + whole_models %}
            sum(conversions_{{ model }}) as conversions_{{ model }},
            sum(case when is_macro then credit_{{ model }} else 0 end) as revenue_{{ model }},
            sum(case when is_macro then 0 else credit_{{ model }} end) as micro_value_{{ model }},
        {% endfor %}
        sum(case when is_macro then 0 else credit_gross end) as micro_value_gross

    from credits_added_up
    group by date, channel_group, campaign, month

),

-- how much a channel is touched, beside how much it would be missed
channels_of_months as (

    select
        credits_of_campaigns.month,
        credits_of_campaigns.channel_group,
        coalesce(max(removals.removal_effect), 0) as removal_effect,
        sum(credits_of_campaigns.conversions_linear) as conversions,
        sum(credits_of_campaigns.revenue_linear) as revenue,
        sum(credits_of_campaigns.micro_value_gross) as micro_value

    from credits_of_campaigns
    left join removals
        on credits_of_campaigns.month = removals.month
        and credits_of_campaigns.channel_group = removals.channel_group
    group by credits_of_campaigns.month, credits_of_campaigns.channel_group

),

removals_of_months as (

    select
        {% for measure in measures %}
            sum(case when {{ measure }} > 0 then removal_effect else 0 end) as {{ measure }},
            cast(sum({{ measure }}) as double) as whole_{{ measure }},
        {% endfor %}
        month

    from channels_of_months
    group by month

),

-- of a month's whole each channel gets its part of all removal effects, and each of its campaigns
-- and days the part that linear credit gives it; where no channel would be missed, linear credit
markov_weighed as (

    select
        {% for measure, (credit, gross, digits) in measures.items() %}
            case
                when removals_of_months.{{ measure }} > 0
                    then coalesce(
                        channels.removal_effect / removals_of_months.{{ measure }}
                        * cast(credits_of_campaigns.{{ gross }} as double)
                        / nullif(cast(channels.{{ measure }} as double), 0),
                        0
                    )
                else coalesce(
                        cast(credits_of_campaigns.{{ gross }} as double)
                        / nullif(removals_of_months.whole_{{ measure }}, 0),
                        0
                    )
            end as weight_{{ measure }},
            sum(credits_of_campaigns.{{ credit }}) over (
                partition by credits_of_campaigns.month
            ) as whole_{{ measure }},
        {% endfor %}
        credits_of_campaigns.*

    from credits_of_campaigns
    inner join channels_of_months as channels
        on credits_of_campaigns.month = channels.month
        and credits_of_campaigns.channel_group = channels.channel_group
    inner join removals_of_months on credits_of_campaigns.month = removals_of_months.month

),

markov_rounded as (

    select
        {% for measure, (credit, gross, digits) in measures.items() %}
            cast(
                {{ rounded('cast(whole_' ~ measure ~ ' as double) * weight_' ~ measure, digits) }}
                as decimal(18, {{ digits }})
            ) as {{ measure }}_rounded,
            row_number() over (
                partition by month
                order by weight_{{ measure }} desc, date desc, channel_group asc, campaign asc
            ) as place_by_{{ measure }},
        {% endfor %}
        *

    from markov_weighed

),

-- the largest part of a month takes what rounding leaves
credits_with_markov as (

    select
        {% for measure in measures %}
            case
                when place_by_{{ measure }} = 1
                    then whole_{{ measure }} - (
                        sum({{ measure }}_rounded) over (partition by month)
                        - {{ measure }}_rounded
                    )
                else {{ measure }}_rounded
            end as {{ measure }}_markov,
        {% endfor %}
        *

    from markov_rounded

),

credits_by_model as (

    {% for model in whole_models + shared_models + ['markov'] %}
        select
            date,
            channel_group,
            campaign,
            '{{ model }}' as model,
            cast(sum(conversions_{{ model }}) as decimal(18, 6)) as credited_conversions,
            cast(sum(revenue_{{ model }}) as decimal(18, 4)) as credited_revenue,
            cast(sum(micro_value_{{ model }}) as decimal(18, 4)) as credited_micro_value

        from credits_with_markov
        group by date, channel_group, campaign
        {{ 'union all' if not loop.last }}

    {% endfor %}

)

select
    date,
    channel_group,
    campaign,
    model,
    credited_conversions,
    credited_revenue,
    credited_micro_value

from credits_by_model
where
    date >= date '{{ first_month }}'
    and (
        credited_conversions <> 0
        or credited_revenue <> 0
        or credited_micro_value <> 0
    )

{% if is_incremental() %}
    union all

    select
        date,
        channel_group,
        campaign,
        model,
        credited_conversions,
        credited_revenue,
        credited_micro_value

    from {{ this }}
    where date < date '{{ first_month }}'
{% endif %}
