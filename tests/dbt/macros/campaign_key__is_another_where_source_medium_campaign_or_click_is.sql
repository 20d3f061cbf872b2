-- One row comes back for each pair of events whose keys are equal where they should differ, or the
-- other way round.
with

cases (
    case_name, is_equal,
    source, medium, campaign, gclid, fbclid,
    other_source, other_medium, other_campaign, other_gclid, other_fbclid
) as (

    values
    ('alike', true, 'a', 'b', 'c', 'g', 'f', 'a', 'b', 'c', 'g', 'f'),
    ('spaces around', true, 'a', 'b', 'c', null, null, ' a', 'b ', ' c ', null, null),
    ('nothing known', true, 'a', null, '(not set)', null, null, 'a', '', null, null, null),
    ('two clicks of one network', true, 'a', null, null, 'g', null, 'a', null, null, 'h', null),
    ('source', false, 'a', 'b', 'c', null, null, 'x', 'b', 'c', null, null),
    ('medium', false, 'a', 'b', 'c', null, null, 'a', 'x', 'c', null, null),
    ('campaign', false, 'a', 'b', 'c', null, null, 'a', 'b', 'x', null, null),
    ('a text elsewhere', false, 'a', null, null, null, null, null, 'a', null, null, null),
    ('a click of Google', false, 'a', null, null, 'g', null, 'a', null, null, null, null),
    ('a click of Meta', false, 'a', null, null, null, 'f', 'a', null, null, null, null),
    ('another network', false, null, null, null, 'g', null, null, null, null, null, 'f'),
    ('nothing is no campaign', null, null, null, null, null, null, 'a', null, null, null, null)

),

events as (

    select
        case_name,
        is_equal,
        'x' as source_event_name,
        source,
        medium,
        campaign,
        gclid,
        cast(null as varchar) as gbraid,
        cast(null as varchar) as wbraid,
        fbclid,
        cast(null as varchar) as source_channel_group

    from cases

),

others as (

    select
        case_name,
        'x' as source_event_name,
        other_source as source,
        other_medium as medium,
        other_campaign as campaign,
        other_gclid as gclid,
        cast(null as varchar) as gbraid,
        cast(null as varchar) as wbraid,
        other_fbclid as fbclid,
        cast(null as varchar) as source_channel_group

    from cases

),

compared as (

    select
        events.case_name,
        events.is_equal,
        {{ campaign_key('events') }} = {{ campaign_key('others') }} as came_out_equal

    from events
    inner join others on events.case_name = others.case_name

)

select * from compared
where is_equal is distinct from came_out_equal
