"""A wrong row of a business file stops the run with file, row and column; a right one passes."""

import pytest

from orchestration.business_file_rules import BUSINESS_FILES, pattern
from orchestration.business_files import check_business_files
from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT, Settings

GOOD = {
    "event_dictionary.csv": """\
source_system,source_event_name,event_name
generic,product_view,view_item
ga4,view_search_results,search
any,purchase,purchase
any,add_to_cart,add_to_cart
""",
    "free_mail_domains.csv": """\
domain
gmail.com
yahoo.co.uk
""",
    "required_properties.csv": """\
event_name,property
purchase,order_id
add_to_cart,value
""",
    "micro_conversions.csv": """\
micro_conversion,event_name,property,operator,threshold,min_occurrences,occurrence_scope,counting,kind,phase,tier,weight,starter_pack,is_enabled
product_viewed,view_item,,,,1,session,once_per_session,process,consideration,soft,0.1,ecommerce,true
deep_scroll,scroll,percent_scrolled,>=,75,1,session,once_per_session,exploratory,awareness,soft,0.05,ecommerce,TRUE
business_email,sign_up,email,is_business_email,,1,visitor,every,process,intent,medium,0.4,b2b_saas,false
big_cart,add_to_cart,value,>,99.5,1,session,once_per_session,process,intent,hard,1,ecommerce,true
second_visit,(session),session_number,=,2,1,session,once_per_session,exploratory,awareness,soft,0.1,b2b_saas,true
price_page,page_view,page_url,matches,/prices?([/?]|$),1,session,every,exploratory,retention,medium,0.4,b2b_saas,true
""",
    "macro_conversions.csv": """\
macro_conversion,event_name,value_source,fixed_value,default_value,counting,refund_event_name,starter_pack,is_enabled
purchase,purchase,event,,60,once_per_order,refund,ecommerce,true
lead,lead_signed,fixed,500,500,every,,b2b_saas,true
""",
    "funnels.csv": """\
funnel,step_number,event_name,window_hours,starter_pack
buying,1,view_item,24,ecommerce
buying,2,add_to_cart,24,ecommerce
""",
    "intent_rules.csv": """\
rule_order,source_pattern,medium_pattern,campaign_pattern,intent_class
10,google|bing,^(cpc|organic)$,(^|[^a-z])brand,brand
20,^\\(direct\\)$,,,direct
30,,,,other
""",
    "traffic_source_categories.csv": """\
source,source_category
google,search
youtube.com,video
""",
    "campaign_settings.csv": """\
campaign,bids_on,target_roas
summer,macro,4.5
winter,micro,
""",
    "currency_rates.csv": """\
currency,date,rate
EUR,2026-01-01,1.1
EUR,2026-04-01,1.2
""",
    "bot_rules.csv": """\
rule,kind,pattern,threshold
crawler,user_agent,crawl|spider,
events_per_minute,behaviour,,300
""",
}


@pytest.fixture
def seeds(tmp_path):
    folder = tmp_path / "geschäftliche dateien"
    folder.mkdir()
    for name, content in GOOD.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def settings_of(folder, **dbt_vars):
    return Settings(home=folder, seeds=folder, dbt_vars=dbt_vars)


def said_about(folder, **dbt_vars):
    with pytest.raises(IntentMapError) as caught:
        check_business_files(settings_of(folder, **dbt_vars))
    return str(caught.value)


def replace(folder, file, old, new):
    content = (folder / file).read_text(encoding="utf-8")
    assert content.count(old) == 1, (old, content.count(old))
    (folder / file).write_text(content.replace(old, new), encoding="utf-8")


def test_the_examples_cover_every_file():
    assert set(GOOD) == {file.name for file in BUSINESS_FILES}


def test_right_rows_pass_without_warning(seeds):
    assert check_business_files(settings_of(seeds)) == []


def test_shipped_files_pass_without_warning_in_every_starter_pack():
    shipped = PROJECT_ROOT / "seeds"
    for pack in ("ecommerce", "b2b_saas", "content"):
        assert check_business_files(settings_of(shipped, starter_pack=pack)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        # what qualifies a micro-conversion
        (
            "micro_conversions.csv",
            "is_business_email,,",
            "is_business_email,@,",
            "row 4, column threshold: '@' has no effect, since is_business_email compares with "
            "free_mail_domains.csv; empty this cell.",
        ),
        (
            "micro_conversions.csv",
            "/prices?([/?]|$)",
            "/prices?([/?]",
            "row 7, column threshold: '/prices?([/?]' is no regular expression",
        ),
        (
            "micro_conversions.csv",
            "page_url,matches",
            "value,matches",
            "row 7, column operator: 'matches' is for text, and the property value is money.",
        ),
        (
            "micro_conversions.csv",
            "session_number,=,2",
            "session_number,=,second",
            "row 6, column threshold: 'second' is not a number, and the property session_number "
            "counts a visitor's sessions.",
        ),
        (
            "micro_conversions.csv",
            "(session),session_number",
            "(session),source",
            "row 6, column property: 'source' is nothing that the start of a session has; known "
            "is session_number.",
        ),
        (
            "micro_conversions.csv",
            "=,2,1,session,",
            "=,2,2,session,",
            "row 6, column min_occurrences: '2' has no effect, since a session starts once; write "
            "1, and the number of the visit as threshold.",
        ),
        (
            "micro_conversions.csv",
            "(session),",
            "(visit),",
            "row 6, column event_name: '(visit)' is no event; known is (session).",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled",
            "percent|scrolled",
            "row 3, column property: 'percent|scrolled' has a quote, a bar or a backslash in it, "
            "which no property name may have.",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled",
            "percent_scrolled\\",
            "row 3, column property: 'percent_scrolled\\' has a quote, a bar or a backslash in it, "
            "which no property name may have.",
        ),
        (
            "required_properties.csv",
            "add_to_cart,value",
            "add_to_cart,*",
            "row 3, column property: '*' names no one property.",
        ),
        (
            "required_properties.csv",
            "add_to_cart,value",
            "purchase,order_id",
            "row 3, column event_name: one requirement twice",
        ),
        (
            "free_mail_domains.csv",
            "yahoo.co.uk",
            "@yahoo.co.uk",
            "row 3, column domain: '@yahoo.co.uk' is no domain written like gmail.com.",
        ),
        (
            "macro_conversions.csv",
            "once_per_order,refund",
            "once_per_order,purchase",
            "row 2, column refund_event_name: 'purchase' is the goal's own event, and would give "
            "back what it brings.",
        ),
        (
            "bot_rules.csv",
            "events_per_minute",
            "clicks_per_minute",
            "row 3, column rule: 'clicks_per_minute' is not measured; known are "
            "events_per_minute, events_per_session.",
        ),
        (
            "macro_conversions.csv",
            "purchase,purchase,event",
            "purchase,(session),event",
            "row 2, column event_name: '(session)' is no event, and only a micro-conversion can "
            "be met by the start of a session.",
        ),
        (
            "funnels.csv",
            "buying,1,view_item",
            "buying,1,(session)",
            "row 2, column event_name: '(session)' is no event",
        ),
        # cells
        (
            "micro_conversions.csv",
            "intent,medium,",
            "intent,mediun,",
            "micro_conversions.csv, row 4, column tier: 'mediun' is not one of soft, medium, hard.",
        ),
        (
            "event_dictionary.csv",
            "ga4,",
            "GA4,",
            "event_dictionary.csv, row 3, column source_system: 'GA4' is not one of generic, ga4, "
            "snowplow, segment, any.",
        ),
        (
            "micro_conversions.csv",
            "soft,0.05",
            "soft,1.05",
            "row 3, column weight: '1.05' is not between 0 and 1.",
        ),
        (
            "micro_conversions.csv",
            "soft,0.05",
            'soft,"0,05"',
            "row 3, column weight: '0,05' is not a number; write a point, not a comma.",
        ),
        (
            "micro_conversions.csv",
            "soft,0.05",
            "soft,nan",
            "row 3, column weight: 'nan' is not a number.",
        ),
        (
            "micro_conversions.csv",
            ">=,75,1,",
            ">=,75,0,",
            "row 3, column min_occurrences: '0' is less than 1.",
        ),
        (
            "micro_conversions.csv",
            ">=,75,1,",
            ">=,75,1.5,",
            "row 3, column min_occurrences: '1.5' is not a whole number.",
        ),
        (
            "micro_conversions.csv",
            "soft,0.05,ecommerce,TRUE",
            "soft,0.05,ecommerce,yes",
            "row 3, column is_enabled: 'yes' is not one of true, false.",
        ),
        (
            "micro_conversions.csv",
            "deep_scroll,scroll",
            "(all),scroll",
            "row 3, column micro_conversion: '(all)' starts with a parenthesis",
        ),
        (
            "micro_conversions.csv",
            "deep_scroll,scroll",
            ",scroll",
            "row 3, column micro_conversion: the cell is empty.",
        ),
        (
            "micro_conversions.csv",
            "deep_scroll,scroll",
            "deep_scroll, scroll",
            "row 3, column event_name: ' scroll' has a space at its start or end.",
        ),
        (
            "micro_conversions.csv",
            "deep_scroll,scroll",
            "deep_scroll,NULL",
            "row 3, column event_name: 'NULL' reads as an empty cell.",
        ),
        (
            "traffic_source_categories.csv",
            "youtube.com",
            "YouTube.com",
            "row 3, column source: 'YouTube.com' must be lower-case: youtube.com.",
        ),
        (
            "currency_rates.csv",
            "EUR,2026-04-01",
            "EUR,01.04.2026",
            "row 3, column date: '01.04.2026' is not a date written like 2026-07-01.",
        ),
        (
            "currency_rates.csv",
            "EUR,2026-04-01",
            "eur,2026-04-01",
            "row 3, column currency: 'eur' is not three capital letters such as EUR.",
        ),
        (
            "currency_rates.csv",
            "2026-04-01,1.2",
            "2026-04-01,0",
            "row 3, column rate: '0' is not between 0.00000001 and 9999999999.",
        ),
        (
            "currency_rates.csv",
            "2026-04-01,1.2",
            "2026-04-01,0.000000001",
            "row 3, column rate: '0.000000001' is not between 0.00000001 and 9999999999.",
        ),
        (
            "funnels.csv",
            "buying,2,",
            "buying,01,",
            "row 3, column step_number: '01' has a zero in front; write the number without.",
        ),
        (
            "intent_rules.csv",
            "30,,,,other",
            "-0,,,,other",
            "row 4, column rule_order: '-0' has a zero in front",
        ),
        (
            "micro_conversions.csv",
            "view_item,,,,1",
            "view_item,,,,3000000000",
            "column min_occurrences: '3000000000' is more than 2147483647.",
        ),
        (
            "micro_conversions.csv",
            "view_item,,,,1",
            "view_item,,,," + "9" * 5000,
            "9' is more than 2147483647.",
        ),
        (
            "intent_rules.csv",
            "google|bing",
            "google(",
            "row 2, column source_pattern: 'google(' is no regular expression",
        ),
        (
            "intent_rules.csv",
            "google|bing",
            "(?!google)bing",
            "row 2, column source_pattern: '(?!google)bing' is no regular expression",
        ),
        (
            "intent_rules.csv",
            "google|bing",
            "Google|bing",
            "row 2, column source_pattern: 'Google|bing' has capital letters and never matches",
        ),
        ("intent_rules.csv", "brand,brand", "brand,Brand", "row 2, column intent_class: 'Brand'"),
        ("campaign_settings.csv", "macro,4.5", "sales,4.5", "row 2, column bids_on: 'sales'"),
        ("funnels.csv", "1,view_item,24", "1,view_item,0", "row 2, column window_hours: '0'"),
        (
            "funnels.csv",
            "1,view_item,24",
            "1,view_item,1.5",
            "row 2, column window_hours: '1.5' is not a whole number.",
        ),
        (
            "funnels.csv",
            "1,view_item,24",
            "1,view_item,87601",
            "row 2, column window_hours: '87601' is more than 87600.",
        ),
        # rows
        (
            "micro_conversions.csv",
            "view_item,,,,1",
            "view_item,,,75,1",
            "row 2, column threshold: threshold on no property: '75' has nothing to act on",
        ),
        (
            "micro_conversions.csv",
            "view_item,,,,1",
            "view_item,,>=,,1",
            "row 2, column operator: operator on no property",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled,>=,75",
            "percent_scrolled,>=,",
            "row 3, column threshold: the cell is empty, but the property 'percent_scrolled'",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled,>=,75",
            "percent_scrolled,,75",
            "row 3, column operator: the cell is empty, but the property 'percent_scrolled'",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled,>=,75",
            "percent_scrolled,>=,deep",
            "row 3, column threshold: 'deep' is not a number, which the operator >= needs.",
        ),
        (
            "micro_conversions.csv",
            "percent_scrolled,>=,75",
            "percent_scrolled,=>,75",
            "row 3, column operator: '=>' is not one of >=, >, <=, <, =, !=, contains, matches, "
            "is_business_email.",
        ),
        (
            "micro_conversions.csv",
            "value,>,99.5",
            "value,=,much",
            "row 5, column threshold: 'much' is not a number, and the property value is money.",
        ),
        (
            "macro_conversions.csv",
            "fixed,500,",
            "fixed,,",
            "row 3, column fixed_value: the cell is empty, but value_source is fixed.",
        ),
        (
            "macro_conversions.csv",
            "event,,60",
            "event,50,60",
            "row 2, column fixed_value: '50' has no effect, since value_source is event",
        ),
        (
            "macro_conversions.csv",
            "event,,60",
            "event,,",
            "row 2, column default_value: the cell is empty.",
        ),
        (
            "macro_conversions.csv",
            "event,,60",
            "event,,-1",
            "row 2, column default_value: '-1' is not between 0 and 99999999999999.",
        ),
        (
            "bot_rules.csv",
            "crawl|spider",
            "",
            "row 2, column pattern: the cell is empty, but a rule of kind user_agent needs it.",
        ),
        (
            "bot_rules.csv",
            "behaviour,,300",
            "behaviour,,",
            "row 3, column threshold: the cell is empty, but a rule of kind behaviour needs it.",
        ),
        # several rows
        (
            "micro_conversions.csv",
            "deep_scroll,",
            "product_viewed,",
            "row 3, column micro_conversion: two rules for one name: 'product_viewed, ecommerce' "
            "stands in row 2 already.",
        ),
        (
            "event_dictionary.csv",
            "any,add_to_cart",
            "any,purchase",
            "row 5, column source_system: two meanings for one name of a source",
        ),
        (
            "currency_rates.csv",
            "2026-04-01",
            "2026-01-01",
            "row 3, column currency: two rates of one currency from one day on",
        ),
        (
            "funnels.csv",
            "buying,2",
            "buying,3",
            "row 3, column step_number: the funnel 'buying' has no step 2 before this.",
        ),
        (
            "funnels.csv",
            "add_to_cart,24",
            "add_to_cart,48",
            "row 3, column window_hours: '48' differs from the funnel's first row, '24'",
        ),
        (
            "funnels.csv",
            "buying,2,add_to_cart,24,ecommerce\n",
            "".join(f"buying,{step},event_{step},24,ecommerce\n" for step in range(2, 12)),
            "row 12, column event_name: this is one too many: a starter pack has room for 10 that",
        ),
        (
            "macro_conversions.csv",
            "lead,lead_signed,fixed,500,500,every,,b2b_saas,true\n",
            "".join(
                f"lead_{place},lead_{place},fixed,500,500,every,,b2b_saas,true\n"
                for place in range(7)
            ),
            "row 9, column macro_conversion: this is one too many: a starter pack has room for 6",
        ),
        (
            "intent_rules.csv",
            "30,,,,other",
            "5,,,,other",
            "row 4, column source_pattern: no pattern at all matches everything",
        ),
        (
            "currency_rates.csv",
            "EUR,2026-01-01",
            "USD,2026-01-01",
            "row 2, column rate: '1.1' must be 1, since USD is the reporting currency.",
        ),
        # shape
        (
            "campaign_settings.csv",
            "summer,macro,4.5",
            "summer, sun,macro,4.5",
            "campaign_settings.csv, row 2: 4 cells, but the header has 3",
        ),
        ("campaign_settings.csv", "winter,micro,", "winter,micro", "row 3: 2 cells"),
        ("campaign_settings.csv", "winter,micro,\n", "\n", "row 3: the row is empty; delete it."),
        ("campaign_settings.csv", "winter,micro,\n", ",,\n", "row 3: the row is empty; delete it."),
        (
            "campaign_settings.csv",
            "campaign,bids_on,",
            "campaign,",
            "campaign_settings.csv, row 1: the column bids_on is missing.",
        ),
        (
            "campaign_settings.csv",
            "campaign,bids_on",
            "campaign,Bids on",
            "row 1: unknown column 'Bids on'; the nearest is bids_on.",
        ),
        (
            "campaign_settings.csv",
            "target_roas\n",
            "target_roas,bids_on\n",
            "row 1: the column bids_on stands there 2 times.",
        ),
        (
            "campaign_settings.csv",
            "winter,",
            '"winter,',
            "campaign_settings.csv: the file is no well-formed CSV",
        ),
    ],
)
def test_wrong_row_is_named_by_file_row_and_column(seeds, file, old, new, said):
    replace(seeds, file, old, new)
    answer = said_about(seeds)
    assert said in answer
    assert file in answer


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("fixed,500,500", "fixed,1000000.5,500", "row 3, column fixed_value: '1000000.5'"),
        ("event,,60", "event,,1000001", "row 2, column default_value: '1000001'"),
    ],
)
def test_an_amount_of_a_goal_that_would_count_nowhere_is_refused(seeds, old, new, place):
    replace(seeds, "macro_conversions.csv", old, new)
    assert check_business_files(settings_of(seeds)) == []
    answer = said_about(seeds, largest_amount=1_000_000)
    assert f"{place} is more than 1000000, the var largest_amount" in answer


def test_all_faults_of_all_files_are_listed(seeds):
    replace(seeds, "micro_conversions.csv", "intent,medium,", "intent,mediun,")
    replace(seeds, "micro_conversions.csv", "soft,0.05", "soft,7")
    replace(seeds, "currency_rates.csv", "1.2", "x")
    lines = said_about(seeds).splitlines()
    assert lines[0].startswith("3 faults in the business files of ")
    assert [line.split(":")[0] for line in lines[1:]] == [
        "micro_conversions.csv, row 3, column weight",
        "micro_conversions.csv, row 4, column tier",
        "currency_rates.csv, row 3, column rate",
    ]


def test_rows_after_a_quoted_line_break_keep_the_number_of_the_spreadsheet(seeds):
    replace(seeds, "campaign_settings.csv", "summer,", '"summer\nsale",')
    replace(seeds, "campaign_settings.csv", "winter,micro", "winter,mikro")
    assert "row 3, column bids_on: 'mikro'" in said_about(seeds)


def test_a_carriage_return_in_a_cell_is_named_since_dbt_would_end_the_row_there(seeds):
    file = seeds / "campaign_settings.csv"
    text = file.read_bytes()
    file.write_bytes(text + b'"two\rlines",micro,\n')
    rows = text.count(b"\n")
    assert said_about(seeds) == (
        f"campaign_settings.csv, row {rows + 1}, column campaign: a line break of another system "
        "is in it; take it out."
    )


def test_a_class_of_characters_that_python_does_not_know_is_no_warning_of_it(recwarn):
    assert pattern("[[:digit:]]+ of them") is None
    assert not recwarn.list


def test_missing_file_of_an_own_folder_is_to_be_copied_from_the_shipped_one(seeds):
    (seeds / "funnels.csv").unlink()
    answer = said_about(seeds)
    assert answer.startswith(f"funnels.csv: the file is missing in '{seeds}'; copy it there from")


def test_description_copied_along_with_the_files_is_to_be_deleted(seeds):
    (seeds / "funnels.yml").write_text("seeds: []")
    assert "funnels.yml: descriptions stay with the project" in said_about(seeds)


def test_file_that_is_a_folder_is_said_to_be_unreadable(seeds):
    (seeds / "funnels.csv").unlink()
    (seeds / "funnels.csv").mkdir()
    assert "funnels.csv: the file cannot be read" in said_about(seeds)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b" \n \n"])
def test_empty_file_is_said_to_be_empty(seeds, content):
    (seeds / "funnels.csv").write_bytes(content)
    assert "funnels.csv: the file is empty; its first row must be the header." in said_about(seeds)


def test_file_with_only_a_header_passes(seeds):
    (seeds / "currency_rates.csv").write_text("currency,date,rate\n", encoding="utf-8")
    assert check_business_files(settings_of(seeds)) == []


def test_columns_may_stand_in_any_order(seeds):
    (seeds / "currency_rates.csv").write_text("rate,date,currency\n1.1,2026-01-01,EUR\n")
    assert check_business_files(settings_of(seeds)) == []


def test_byte_order_mark_and_windows_line_ends_are_tolerated(seeds):
    path = seeds / "campaign_settings.csv"
    content = path.read_text(encoding="utf-8").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert check_business_files(settings_of(seeds)) == []


def test_file_in_another_encoding_is_named_with_the_line(seeds):
    path = seeds / "campaign_settings.csv"
    path.write_bytes(
        path.read_text(encoding="utf-8").replace("winter", "für alle").encode("cp1252")
    )
    assert "campaign_settings.csv: the file is not UTF-8 (byte 0xfc in line 3)" in said_about(seeds)


def test_utf_16_is_named_as_such(seeds):
    path = seeds / "campaign_settings.csv"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    assert "campaign_settings.csv: the file is UTF-16, not UTF-8" in said_about(seeds)


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separator_of_a_spreadsheet_is_named(seeds, separator, word):
    path = seeds / "campaign_settings.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",", separator), encoding="utf-8")
    answer = said_about(seeds)
    assert f"campaign_settings.csv: the columns are separated by {word}; save it as CSV" in answer


def test_more_than_ten_enabled_micro_conversions_of_the_pack_are_a_warning(seeds):
    row = (
        "extra_{},view_item,,,,1,session,once_per_session,process,intent,soft,0.1,ecommerce,true\n"
    )
    path = seeds / "micro_conversions.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good + "".join(row.format(i) for i in range(7)), encoding="utf-8")
    assert check_business_files(settings_of(seeds)) == []
    path.write_text(good + "".join(row.format(i) for i in range(8)), encoding="utf-8")
    (warning,) = check_business_files(settings_of(seeds))
    assert "11 micro-conversions are enabled for the starter pack ecommerce" in warning


def test_pack_without_an_enabled_row_is_a_warning(seeds):
    warnings = check_business_files(settings_of(seeds, starter_pack="content"))
    assert [warning.split(":")[0] for warning in warnings] == [
        "micro_conversions.csv",
        "macro_conversions.csv",
    ]


def test_event_name_close_to_a_known_one_is_a_warning(seeds):
    replace(seeds, "micro_conversions.csv", "big_cart,add_to_cart", "big_cart,add_too_cart")
    (warning,) = check_business_files(settings_of(seeds))
    assert "row 5, column event_name: 'add_too_cart'" in warning
    assert "did you mean add_to_cart?" in warning


def test_event_name_that_differs_from_a_known_one_in_case_only_is_a_warning(seeds):
    replace(seeds, "micro_conversions.csv", "big_cart,add_to_cart", "big_cart,Add_To_Cart")
    (warning,) = check_business_files(settings_of(seeds))
    assert "row 5, column event_name: 'Add_To_Cart'" in warning
    assert "did you mean add_to_cart?" in warning


def test_a_name_that_the_dictionary_gives_another_meaning_is_a_warning(seeds):
    path = seeds / "event_dictionary.csv"
    rows = [*path.read_text(encoding="utf-8").splitlines(), "generic,cart_add,add_to_cart"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert check_business_files(settings_of(seeds)) == []
    replace(seeds, "micro_conversions.csv", "big_cart,add_to_cart", "big_cart,cart_add")
    assert check_business_files(settings_of(seeds)) == [
        "micro_conversions.csv, row 5, column event_name: by event_dictionary.csv, "
        f"row {len(rows)}, the event 'cart_add' of generic counts as add_to_cart; write that name."
    ]


@pytest.mark.parametrize(("target", "warned"), [("400", 1), ("50", 0), ("4", 0), ("", 0)])
def test_a_target_that_looks_like_a_percentage_is_a_warning(seeds, target, warned):
    path = seeds / "campaign_settings.csv"
    header = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(f"{header}\nbrand,macro,{target}\n", encoding="utf-8")
    warnings = check_business_files(settings_of(seeds))
    assert len(warnings) == warned
    assert all("campaign_settings.csv, row 2, column target_roas" in it for it in warnings)
    assert all("400 % is written 4" in it for it in warnings)


def test_funnel_step_close_to_a_known_event_is_a_warning(seeds):
    replace(seeds, "funnels.csv", "1,view_item,", "1,veiw_item,")
    (warning,) = check_business_files(settings_of(seeds))
    assert "funnels.csv, row 2, column event_name: 'veiw_item'" in warning
    assert "did you mean view_item?" in warning
    warnings = check_business_files(settings_of(seeds, starter_pack="content"))
    assert not any("funnels.csv" in warning for warning in warnings)


@pytest.mark.parametrize(("threshold", "warned"), [("TRUE", 1), ("False", 1), ("true", 0)])
def test_a_threshold_that_a_spreadsheet_made_upper_case_is_a_warning(seeds, threshold, warned):
    path = seeds / "micro_conversions.csv"
    row = (
        f"member,view_item,is_member,=,{threshold},"
        "1,session,every,process,intent,soft,0.1,ecommerce,true"
    )
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    warnings = check_business_files(settings_of(seeds))
    assert len(warnings) == warned
    assert all(f"column threshold: '{threshold}'" in warning for warning in warnings)


def test_warnings_do_not_hide_a_fault(seeds):
    replace(seeds, "micro_conversions.csv", "big_cart,add_to_cart", "big_cart,add_too_cart")
    replace(seeds, "bot_rules.csv", "300", "many")
    assert "bot_rules.csv, row 3, column threshold: 'many' is not a number." in said_about(seeds)


@pytest.mark.parametrize("name", ["bot_rules - Copy.csv", "old/bot_rules.csv"])
def test_a_csv_that_is_no_business_file_is_named_since_dbt_would_read_it(seeds, name):
    (seeds / "old").mkdir()
    (seeds / name).write_text("rule,kind\n")
    assert f"{name}: is none of the business files" in said_about(seeds)


def test_a_folder_of_something_else_is_not_searched_for_more(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "any.csv").write_text("a\n")
    said = said_about(tmp_path)
    assert "bot_rules.csv" in said
    assert "any.csv" not in said
