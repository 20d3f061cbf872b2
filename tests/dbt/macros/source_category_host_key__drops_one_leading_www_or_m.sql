-- One row comes back for each case that source_category_host_key answers wrongly.
with

cases (source, expected) as (

    values
    ('WWW.Bing.com', 'bing.com'),
    ('m.facebook.com', 'facebook.com'),
    (' bing ', 'bing'),
    ('www.m.example', 'm.example'),
    ('mwww.example', 'mwww.example'),
    ('com.www.example', 'com.www.example')

)

select *
from cases
where {{ source_category_host_key('source') }} is distinct from expected
