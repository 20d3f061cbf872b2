-- One row comes back for each case that is_one_of answers wrongly.
with

cases (case_name, expected, text) as (

    values
    ('the first', true, ''),
    ('in the middle', true, 'null'),
    ('the last', true, '(not set)'),
    ('with a quote', true, 'it''s'),
    ('the beginning of one', false, 'nul'),
    ('the end of one', false, 'ull'),
    ('more than one', false, 'nulls'),
    ('capitals differ', false, 'NULL'),
    ('two in a row', false, 'nullnil'),
    ('two with the comma between', false, 'null, nil'),
    ('a blank is not empty', false, ' '),
    ('no text', null, null)

)

select *
from cases
where
    {{ is_one_of('text', "'', 'null', 'nil', 'it''s', '(not set)'") }} is distinct from expected
