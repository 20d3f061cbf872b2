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
)


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
    examples = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
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
