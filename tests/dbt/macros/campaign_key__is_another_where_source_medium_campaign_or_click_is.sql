-- One row comes back for each event whose key is equal to that of the event that it is compared
-- with where it should differ, or the other way round.
with

cases (
    case_name, compared_with, is_equal, source, medium, campaign, gclid, fbclid
) as (

    values
    ('all', 'all', true, 'a', 'b', 'c', 'g', 'f'),
    ('texts', 'texts', true, 'a', 'b', 'c', null, null),
    ('spaces around', 'texts', true, ' a', 'b ', ' c ', null, null),
    ('another source', 'texts', false, 'x', 'b', 'c', null, null),
    ('another medium', 'texts', false, 'a', 'x', 'c', null, null),
    ('another campaign', 'texts', false, 'a', 'b', 'x', null, null),
    ('source alone', 'source alone', true, 'a', null, '(not set)', null, null),
    ('unknown otherwise', 'source alone', true, 'a', '', null, null, null),
    ('a text elsewhere', 'source alone', false, null, 'a', null, null, null),
    ('a click of Google', 'source alone', false, 'a', null, null, 'g', null),
    ('another click of Google', 'a click of Google', true, 'a', null, null, 'h', null),
    ('a click of Meta', 'source alone', false, 'a', null, null, null, 'f'),
    ('Google alone', 'Google alone', true, null, null, null, 'g', null),
    ('another network', 'Google alone', false, null, null, null, null, 'f'),
    ('nothing is no campaign', 'source alone', null, null, null, null, null, null)

),

events as (

    select
        *,
        'x' as source_event_name,
        cast(null as string) as gbraid,
        cast(null as string) as wbraid,
        cast(null as string) as source_channel_group

    from cases

),

compared as (

    select
        events.case_name,
        events.is_equal,
        {{ campaign_key('events') }} = {{ campaign_key('others') }} as came_out_equal

    from events
    inner join events as others on events.compared_with = others.case_name

)

select * from compared
where is_equal is distinct from came_out_equal
