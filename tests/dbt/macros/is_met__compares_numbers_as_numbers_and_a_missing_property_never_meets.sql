-- One row comes back for each case that is_met answers wrongly.
with

cases (case_name, expected, compared, operator, threshold) as (

    values
    ('equal meets at least', true, '75', '>=', '75'),
    ('a number, not a text', true, '100', '>', '75'),
    ('less', false, '74.9', '>=', '75'),
    ('a word is no number', false, 'far', '>=', '75'),
    ('not a number is no number', false, 'NaN', '>=', '75'),
    ('infinite is no number', false, 'inf', '>', '75'),
    ('an underscore makes no thousands', false, '1_000', '>', '75'),
    ('at most', true, '75', '<=', '75'),
    ('not below itself', false, '75', '<', '75'),
    ('one number in two forms', true, '1.0', '=', '1'),
    ('equal texts', true, 'gold', '=', 'gold'),
    ('capitals differ', false, 'Gold', '=', 'gold'),
    ('another number', true, '2', '!=', '1'),
    ('another text', true, 'gold', '!=', '1'),
    ('missing is not other', false, null, '!=', '1'),
    ('missing is not equal', false, null, '=', '1'),
    ('inside', true, 'a 100% deal', 'contains', '100%'),
    ('a percent sign is no wildcard', false, 'a 1000 deal', 'contains', '100%'),
    ('an underscore is no wildcard', false, 'price-page', 'contains', 'price_page'),
    ('pattern', true, 'shop.example/DE/Pricing?x=1', 'matches', '/(pricing|prices)([/?]|$)'),
    ('pattern not found', false, 'shop.example/pricingless', 'matches', '/pricing([/?]|$)'),
    ('business', true, 'Anna@Firma.example ', 'is_business_email', '|gmail.com|gmx.de|'),
    ('free provider', false, 'anna@GMX.de', 'is_business_email', '|gmail.com|gmx.de|'),
    ('ends like a free provider', true, 'a@notgmx.de', 'is_business_email', '|gmail.com|gmx.de|'),
    ('no address', false, 'anna', 'is_business_email', '|gmail.com|gmx.de|'),
    ('no domain', false, 'anna@localhost', 'is_business_email', '|gmail.com|gmx.de|'),
    ('two at signs', false, 'a@b@firma.example', 'is_business_email', '|gmail.com|gmx.de|'),
    ('no address at all', false, null, 'is_business_email', '|gmail.com|gmx.de|'),
    ('unknown operator', false, '1', '~', '1')

)

select *
from cases
where coalesce({{ is_met('compared', 'operator', 'threshold') }}, false) <> expected
