"""Agents are matched to the business's rules and to the list of known crawlers."""

import importlib.util
from types import SimpleNamespace

import duckdb
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from orchestration.settings import PROJECT_ROOT

MODEL = PROJECT_ROOT / "dbt_project" / "models" / "intermediate" / "int_user_agents.py"
PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/466.0.0.44.109;FBBV/607319384]",
    "Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 21) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/124.0.0.0 Mobile Safari/537.36 Instagram 334.0.0.42.95 Android",
    "Mozilla/5.0 (Linux; Android 15; CPH2655 Build/AP3A.240617.008) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/119.0.6045.163 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; ZTE A2020 SP Build/QKQ1.200913.002; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/68.0.3440.106 Mobile Safari/537.36 AWP/2.0 SogouMSE,"
    "SogouMobileBrowser/6.5.11",
    "Mozilla/5.0 (Linux; Android 16; SM-F966N; BP2A.250605.031.A3; wv) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Version/4.0 Chrome/145.0.7632.120 Mobile Safari/537.36 Viber/27.4.0.0",
    "Mozilla/5.0 (Linux; Android 4.4.2; ViewSonic V500 Build/KVT49L) AppleWebKit/535.19 (KHTML, "
    "like Gecko) Chrome/18.0.1025.166 Mobile Safari/535.19",
    "Mozilla/5.0 (Linux; Android 4.2.2; HTC Butterfly Build/JDQ39) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/31.0.1650.59 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 7.0; M bot 51) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/81.0.4044.138 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 7.1.1; M_bot_tab_1150 Build/N9F27F) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/67.0.3396.87 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; Spider 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36",
)
# examples of the list that are people: Instagram on a phone, and a browser for one site
LISTED_PEOPLE = (r"AP3A\.240617\.008", "Fluid")


def matched(agents: list[str], rules: list[tuple], kept: list[str] | None = None) -> dict:
    """Agent → bot rule, as the model says it of these agents; kept: those matched before."""
    spec = importlib.util.spec_from_file_location("int_user_agents", MODEL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with duckdb.connect() as connection:
        connection.execute("create table int_agents_met (user_agent varchar)")
        connection.executemany("insert into int_agents_met values (?)", [[a] for a in agents])
        connection.execute("create table bot_rules (rule varchar, kind varchar, pattern varchar)")
        connection.executemany("insert into bot_rules values (?, ?, ?)", rules)
        connection.execute("create table kept (user_agent varchar)")
        connection.executemany("insert into kept values (?)", [[a] for a in kept or ["-"]])
        dbt = SimpleNamespace(
            config=lambda **_: None,
            ref=connection.table,
            this="kept",
            is_incremental=kept is not None,
        )
        return dict(module.model(dbt, connection).fetchall())


@pytest.fixture(scope="module")
def rules() -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"select rule, kind, pattern from read_csv('{PROJECT_ROOT}/seeds/bot_rules.csv')"
        ).fetchall()


def test_every_example_of_a_crawler_is_a_bot(rules: list[tuple]) -> None:
    listed = {entry["pattern"]: entry["instances"] for entry in CRAWLER_USER_AGENTS_DATA}
    assert set(LISTED_PEOPLE) <= listed.keys()
    examples = [
        agent
        for pattern, instances in listed.items()
        if pattern not in LISTED_PEOPLE
        for agent in instances
    ]
    found = matched(examples, rules)
    assert len(examples) > 1500
    assert [agent for agent in examples if found[agent] is None] == []
    assert "crawler_user_agents" in found.values()


def test_people_are_no_bots(rules: list[tuple]) -> None:
    assert set(matched(list(PEOPLE), rules).values()) == {None}


def test_the_business_has_the_last_word_and_an_agent_is_matched_once() -> None:
    rules = [
        ("ours", "not_a_bot", "^shop-app/"),
        ("scraper", "user_agent", "shop|price"),
        ("events_per_minute", "behaviour", None),
    ]
    agents = ["Shop-App/1.0 curl", "Price-Check", "curl/8.0", "Firefox", "seen before"]
    assert matched(agents, rules, kept=["seen before"]) == {
        "Shop-App/1.0 curl": None,
        "Price-Check": "scraper",
        "curl/8.0": "crawler_user_agents",
        "Firefox": None,
    }
