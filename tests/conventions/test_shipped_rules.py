"""The rule seeds that ship with the project say what their descriptions promise.

Patterns are tried with DuckDB and with Python's `re`: a pattern that the two read differently
would also change its meaning on the next engine.
"""

import csv
import re
from pathlib import Path

import duckdb
import pytest

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def found_by_python(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def found_by_duckdb(pattern: str, text: str) -> bool:
    return duckdb.execute("select regexp_matches(?, ?)", [text, pattern]).fetchall()[0][0]


ENGINES = [found_by_python, found_by_duckdb]


def intent_class(found, source: str, medium: str, campaign: str) -> str:
    for rule in sorted(rows("intent_rules.csv"), key=lambda rule: int(rule["rule_order"])):
        tries = (
            (rule["source_pattern"], source),
            (rule["medium_pattern"], medium),
            (rule["campaign_pattern"], campaign),
        )
        if all(not pattern or found(pattern, text.lower()) for pattern, text in tries):
            return rule["intent_class"]
    return "other"


def bot_rule(found, user_agent: str) -> str | None:
    for rule in rows("bot_rules.csv"):
        if rule["kind"] == "user_agent" and found(rule["pattern"], user_agent.lower()):
            return rule["rule"]
    return None


@pytest.mark.parametrize("found", ENGINES)
@pytest.mark.parametrize(
    ("expected", "source", "medium", "campaign"),
    [
        ("direct", "(direct)", "(none)", "(not set)"),
        ("direct", "(direct)", "(not set)", "(not set)"),
        ("email", "crm", "Email", "brand"),
        ("email", "e-mail", "(not set)", "spring"),
        ("social", "facebook", "cpc", "brand_spring"),
        ("social", "l.instagram.com", "referral", "(not set)"),
        ("social", "somewhere", "paid_social", "spring"),
        ("social", "t.co", "referral", "(not set)"),
        ("social", "tiktok", "paid", "spring"),
        ("other", "metacritic.com", "referral", "(not set)"),
        ("brand", "google", "cpc", "DE_Brand_Exact"),
        ("brand", "bing", "organic", "brand"),
        ("brand", "google", "cpc", "casino brand"),
        ("generic", "google", "cpc", "non-brand shoes"),
        ("generic", "google", "cpc", "de_nonbrand"),
        ("generic", "google", "cpc", "no_brand"),
        ("generic", "www.google.co.uk", "cpc", "shoes"),
        ("generic", "de.search.yahoo.com", "cpc", "(not set)"),
        ("generic", "google", "organic", "(not set)"),
        ("generic", "find.example", "organic", "(not set)"),
        ("other", "mail.google.com", "referral", "(not set)"),
        ("other", "google", "display", "brand"),
        ("other", "blog.example", "referral", "brand"),
        ("other", "partner", "affiliate", "(not set)"),
    ],
)
def test_a_visit_gets_its_intent_class(found, expected, source, medium, campaign):
    assert intent_class(found, source, medium, campaign) == expected


BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize("found", ENGINES)
@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
        BROWSER + "(compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        BROWSER + "HeadlessChrome/131.0.0.0 Safari/537.36",
        BROWSER + "Chrome/131.0.0.0 Safari/537.36 Chrome-Lighthouse",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Screaming Frog SEO Spider/21.0",
        "python-requests/2.32.3",
        "Python/3.12 aiohttp/3.10.5",
        "curl/8.5.0",
        "Wget/1.21.4",
        "Go-http-client/2.0",
        "Scrapy/2.11.2 (+https://scrapy.org)",
    ],
)
def test_a_machine_is_caught(found, user_agent):
    assert bot_rule(found, user_agent) is not None


@pytest.mark.parametrize("found", ENGINES)
@pytest.mark.parametrize(
    "user_agent",
    [
        BROWSER + "Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/87.0 Mobile",
        "Mozilla/5.0 (Linux; Android 11; CUBOT KINGKONG 7) AppleWebKit/537.36 Chrome/120.0",
        "Mozilla/5.0 (Linux; U; Android 10; Cubot Build/QP1A) AppleWebKit/537.36 Chrome/86.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/468.0.0.33.107;FBDV/iPhone14,5]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
        " Mobile/15E148 Instagram 337.0.3.23.54 (iPhone14,5; iOS 17_5)",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 Version/4.0"
        " Chrome/125.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/465.0.0.61.82;]",
        "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 BytedanceWebview/d8a21c6 trill_340204",
        "okhttp/4.12.0",
        "Dalvik/2.1.0 (Linux; U; Android 14; SM-S918B Build/UP1A.231005.007)",
        "MyShop/5.1 CFNetwork/1494.0.7 Darwin/23.4.0",
    ],
)
def test_a_person_is_not_taken_for_a_machine(found, user_agent):
    assert bot_rule(found, user_agent) is None


def test_a_bot_rule_has_a_pattern_or_a_threshold_as_its_kind_asks():
    wrong = [
        rule["rule"]
        for rule in rows("bot_rules.csv")
        if bool(rule["pattern"]) == (rule["kind"] == "behaviour")
        or bool(rule["threshold"]) != (rule["kind"] == "behaviour")
    ]
    assert not wrong


def test_sources_are_listed_in_lower_case_once_and_in_order():
    sources = [row["source"] for row in rows("traffic_source_categories.csv")]
    assert sources == sorted({source.strip().lower() for source in sources})
