-- One row comes back for each case that is_any_or_matches answers wrongly.
with

cases (case_name, expected, text, pattern) as (

    values
    ('no pattern', true, 'google', null),
    ('empty pattern', true, 'google', ''),
    ('found inside', true, 'DE_Brand_Exact', 'brand'),
    ('upper and lower case alike', true, 'Google', '^google$'),
    ('anchored', false, 'google.com', '^google$'),
    ('not found', false, 'bing', 'google')

)

select *
from cases
where {{ is_any_or_matches('text', 'pattern') }} is distinct from expected
