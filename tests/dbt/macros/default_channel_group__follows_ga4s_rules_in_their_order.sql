-- One row comes back for each case that default_channel_group answers wrongly.
with

cases (case_name, expected, source, medium, campaign, source_category) as (

    values
    ('neither source nor medium', 'Direct', null, null, null, null),
    ('direct by name', 'Direct', '(direct)', '(none)', '(not set)', null),
    ('medium not set', 'Direct', '(direct)', '(not set)', null, null),
    ('direct with a medium is not direct', 'Referral', '(direct)', 'referral', null, null),
    ('not set is not direct', 'Unassigned', '(not set)', '(not set)', null, null),
    ('direct before cross-network', 'Direct', '(direct)', '(none)', 'cross-network', null),
    ('cross-network before paid', 'Cross-network', 'google', 'cpc', 'x Cross-Network', 'search'),
    ('listed shop, paid', 'Paid Shopping', 'ebay', 'cpc', null, 'shopping'),
    ('campaign says shopping', 'Paid Shopping', 'google', 'cpc', 'Shopping_de', 'search'),
    ('e-shop is a shop', 'Paid Shopping', 'google', 'ppc', 'autumn e-shop', 'search'),
    ('eshop is a shop', 'Organic Shopping', 'blog', 'referral', 'eshop', null),
    ('a workshop is no shop', 'Paid Search', 'google', 'cpc', 'workshop', 'search'),
    ('cpm contains cp', 'Paid Search', 'google', 'cpm', null, 'search'),
    ('cpm elsewhere', 'Display', 'news.example', 'cpm', null, null),
    ('paid anything', 'Paid Social', 'facebook', 'paid-reels', null, 'social'),
    ('unpaid is not paid', 'Organic Social', 'facebook', 'unpaid', null, 'social'),
    ('retargeting is paid', 'Paid Video', 'vimeo', 'Retargeting', null, 'video'),
    ('not a banner farm', 'Unassigned', 'news.example', 'banners', null, null),
    ('banner', 'Display', 'news.example', 'Banner', null, null),
    ('cpc of an unlisted source', 'Paid Other', 'news.example', 'cpc', null, null),
    ('listed shop, unpaid', 'Organic Shopping', 'ebay', 'referral', null, 'shopping'),
    ('listed network', 'Organic Social', 'facebook', 'referral', null, 'social'),
    ('social medium', 'Organic Social', 'forum.example', 'social media', null, null),
    ('video medium', 'Organic Video', 'tv.example', 'my-video-ad', null, null),
    ('listed search', 'Organic Search', 'bing', 'referral', null, 'search'),
    ('organic medium', 'Organic Search', 'find.example', 'organic', null, null),
    (
        'assistant is a channel where it is asked for',
        '{{ "AI Assistant" if var("ai_assistant_channel") else "Unassigned" }}',
        'chatgpt.com', 'AI-Assistant', null, null
    ),
    ('listed search before assistant', 'Organic Search', 'bing', 'ai-assistant', null, 'search'),
    ('app is a referral', 'Referral', 'some.app', 'app', null, null),
    ('email as source', 'Email', 'E-Mail', 'spring', null, null),
    ('email as medium', 'Email', 'list', 'e_mail', null, null),
    ('emailing is not email', 'Unassigned', 'list', 'emailing', null, null),
    ('affiliate', 'Affiliates', 'partner', 'affiliate', null, null),
    ('affiliates is not a rule', 'Unassigned', 'partner', 'affiliates', null, null),
    ('audio', 'Audio', 'radio', 'audio', null, null),
    ('sms', 'SMS', 'sms', null, null, null),
    ('ends with push', 'Mobile Push Notifications', 'crm', 'web-push', null, null),
    ('push inside', 'Unassigned', 'crm', 'pushed', null, null),
    ('mobile inside', 'Mobile Push Notifications', 'crm', 'a-mobile-b', null, null),
    ('firebase', 'Mobile Push Notifications', 'Firebase', null, null, null),
    ('medium without source', 'Email', null, 'email', null, null)

)

select *
from cases
where
    {{ default_channel_group('source', 'medium', 'campaign', 'source_category') }}
    is distinct from expected
