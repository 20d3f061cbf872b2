"""Every rule of the starter packs fires on the act that it is for, and not a little below it.

All packs are built as one, so that one home is enough: each rule is renamed to carry its pack.
"""

import csv
import shutil
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pipeline.histories import Row, generic_event
from pipeline.homes import Home, Workshop

from orchestration.settings import PROJECT_ROOT

PACKS = ("ecommerce", "b2b_saas", "content")
SHIPPED = PROJECT_ROOT / "seeds"
START = datetime(2026, 3, 2, 10)

# what one busy visitor does in a visit, by the names that sources use
ACTS: tuple[tuple[str, Row], ...] = (
    *[("pageview", {})] * 3,
    ("scroll", {"percent_scrolled": 75}),
    ("video_progress", {"video_percent": "50"}),
    ("time_on_page", {"seconds": 60}),
    ("product_viewed", {}),
    *[("gallery_next", {})] * 3,
    ("search", {"search_term": "shoes"}),
    ("signed_up", {"email": "anna@firma.example"}),
    ("newsletter_subscribed", {}),
    ("email_link_clicked", {}),
    ("share", {}),
    ("share", {}),
    ("add_to_wishlist", {}),
    ("cart_add", {}),
    ("pricing_viewed", {}),
    ("file_download", {}),
    *[("chat_message", {})] * 2,
    ("form_start", {}),
    ("trial_started", {}),
    ("checkout", {}),
    ("payment_info_entered", {}),
    ("order_completed", {}),
    ("subscribe", {}),
    ("lead", {}),
    ("demo_request", {}),
)
# the same acts of another visitor, none of them quite enough
ALMOST: tuple[tuple[str, Row], ...] = (
    *[("page_view", {})] * 2,
    ("scroll", {"percent_scrolled": 74.9}),
    ("scroll", {"percent_scrolled": "far"}),
    ("scroll", {}),
    ("video_progress", {"video_percent": 49}),
    ("time_on_page", {"seconds": 59.5}),
    *[("gallery_next", {})] * 2,
    ("chat_message", {}),
    ("form_submit", {"email": "anna@firma.example"}),
    ("email_open", {}),
    ("Add To Cart", {}),
)

# thresholds that a reader of the rules may take for something else than the text that they are
ODD = {"the word null": "null", "a quote": "it's", "a number": "0010", "braces": "{{ 7 }}"}


def shipped(file: str) -> list[Row]:
    with (SHIPPED / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def acts_of(visitor: str, acts: tuple[tuple[str, Row], ...]) -> list[Row]:
    return [
        generic_event(
            visitor, START + timedelta(seconds=20 * number), name, event_id=f"{visitor}-{number}",
            properties=properties or None,
        )
        for number, (name, properties) in enumerate(acts)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Home:
    seeds = tmp_path_factory.mktemp("seeds")
    for path in SHIPPED.glob("*.csv"):
        shutil.copy(path, seeds)
    for file, name in (("micro_conversions.csv", "micro_conversion"),
                       ("macro_conversions.csv", "macro_conversion")):  # fmt: skip
        rows = shipped(file)
        for row in rows:
            row[name] = f"{row['starter_pack']}: {row[name]}"
            row["starter_pack"] = "ecommerce"
        if file == "micro_conversions.csv":
            rows += [
                rows[0] | {
                    "micro_conversion": f"odd: {name_of_rule}", "event_name": "search",
                    "property": "search_term", "operator": "contains", "threshold": threshold,
                }
                for name_of_rule, threshold in ODD.items()
            ]  # fmt: skip
        with Path(seeds, file).open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    home = workshop.home("starter_packs", seeds=seeds)
    second_visit = generic_event("busy", START + timedelta(days=1), "page_view")
    third_visit = generic_event("busy", START + timedelta(days=2), "page_view")
    home.drop(
        "generic",
        "events",
        [
            *acts_of("busy", ACTS),
            second_visit,
            third_visit,
            *acts_of("almost", ALMOST),
            *[
                event
                for rule, threshold in ODD.items()
                for event in acts_of(rule, (("search", {"search_term": f"[{threshold}]"}),))
            ],
        ],
    )
    home.night(select=["+int_micro_conversions", "+int_macro_conversions"])
    return home


def met(home: Home, visitor: str) -> dict[str, set[str]]:
    """Pack → its micro- and macro-conversions that the visitor met."""
    names = defaultdict(set)
    for row in home.query(f"""
        with met as (
            select session_key, micro_conversion as name from intermediate.int_micro_conversions
            union all
            select session_key, macro_conversion as name from intermediate.int_macro_conversions
        )
        select met.name
        from met
        inner join intermediate.int_sessions as sessions on met.session_key = sessions.session_key
        where sessions.visitor_id = '{visitor}'
    """):
        pack, name = row["name"].split(": ")
        names[pack].add(name)
    return names


@pytest.mark.parametrize("pack", PACKS)
def test_every_enabled_rule_of_a_pack_fires(home: Home, pack: str) -> None:
    enabled = {
        row[name]
        for file, name in (("micro_conversions.csv", "micro_conversion"),
                           ("macro_conversions.csv", "macro_conversion"))
        for row in shipped(file)
        if row["starter_pack"] == pack and row["is_enabled"] == "true"
    }  # fmt: skip
    assert len(enabled) >= 8
    assert met(home, "busy")[pack] == enabled


def test_acts_that_are_not_quite_enough_meet_no_rule(home: Home) -> None:
    assert met(home, "almost") == {}


@pytest.mark.parametrize("rule", ODD)
def test_a_threshold_is_the_text_that_it_is(home: Home, rule: str) -> None:
    assert met(home, rule)["odd"] == {rule}


def test_a_second_visit_is_the_second_one_and_a_share_counts_each_time(home: Home) -> None:
    rows = home.query("""
        select sessions.session_number, micros.counted_occurrences, micros.micro_conversion
        from intermediate.int_micro_conversions as micros
        inner join intermediate.int_sessions as sessions using (session_key)
        where micros.micro_conversion in ('content: second_visit', 'content: article_shared')
        order by sessions.session_number
    """)
    assert [tuple(row.values()) for row in rows] == [
        (1, 2, "content: article_shared"),
        (2, 1, "content: second_visit"),
    ]


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_has_a_funnel_of_known_events_that_ends_with_its_goal(pack: str) -> None:
    known = {row["event_name"] for row in shipped("event_dictionary.csv")}
    goals = {
        row["event_name"] for row in shipped("macro_conversions.csv") if row["starter_pack"] == pack
    }
    steps = [row["event_name"] for row in shipped("funnels.csv") if row["starter_pack"] == pack]
    assert len(steps) >= 3
    assert set(steps) <= known
    assert steps[-1] in goals


def test_every_event_that_a_rule_names_is_in_the_dictionary() -> None:
    known = {row["event_name"] for row in shipped("event_dictionary.csv")} | {"(session)", ""}
    named = {
        row[column]
        for file, column in (
            ("micro_conversions.csv", "event_name"),
            ("macro_conversions.csv", "event_name"),
            ("macro_conversions.csv", "refund_event_name"),
            ("required_properties.csv", "event_name"),
        )
        for row in shipped(file)
    }
    assert named <= known


def test_weights_follow_their_tier() -> None:
    allowed = {"soft": (0.1, 0.1), "medium": (0.4, 0.4), "hard": (0.7, 0.9)}
    for row in shipped("micro_conversions.csv"):
        low, high = allowed[row["tier"]]
        assert low <= float(row["weight"]) <= high, row["micro_conversion"]
