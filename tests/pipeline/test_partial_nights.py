"""Runs that build only a part, and loads that follow each other without a gap.

A night that was told to build one model leaves notes for those that were not built; the next whole
night must find them.
"""

import pytest
from dagster import AssetKey, DagsterInstance
from pipeline.homes import Home, Workshop, differences, differing_tables

from orchestration import dbt_runner
from orchestration.definitions import build_definitions

# built alone behind the first night, in turn: what follows them finds their notes later
PARTS = ("int_all_sessions", "int_micro_conversions", "int_session_stages")


def visit(visitor: str, day: str, *names: str) -> list[dict[str, str]]:
    return [
        {"visitor_id": visitor, "occurred_at": f"2025-05-{day} 10:{minute:02}:00", "event_name": it}
        for minute, it in enumerate(names)
    ]


def nights_with_parts(home: Home) -> None:
    """A whole night, a load for each part, built alone, and a whole night over another load."""
    home.drop("generic", "first", visit("a", "05", "view_item", "add_to_cart", "purchase"))
    home.night()
    for number, part in enumerate(PARTS):
        # a visit before that of the first night, one behind it, and one of somebody else
        rows = visit("a", f"0{number + 2}", "view_item") + visit("a", "07", "add_to_cart")
        home.drop("generic", part, rows + visit(part, "06", "view_item", "add_to_cart"))
        home.night(select=[f"+{part}"])
    home.drop("generic", "last", visit("z", "08", "view_item"))
    home.night()


@pytest.fixture(scope="module")
def behind_parts(workshop: Workshop) -> Home:
    home = workshop.home("parts")
    nights_with_parts(home)
    return home


def test_a_whole_night_behind_partial_ones_leaves_what_a_full_refresh_leaves(
    behind_parts: Home,
) -> None:
    refreshed = behind_parts.copy("parts_refreshed")
    refreshed.night(full_refresh=True)
    said = differences(*differing_tables(behind_parts, refreshed))
    assert not said, "\n".join(said)


def test_loads_that_follow_each_other_without_a_gap_are_all_read(behind_parts: Home) -> None:
    loads = behind_parts.query("select load_id from raw.loads order by load_id")
    assert [row["load_id"] for row in loads] == list(range(1, 6))
    read = behind_parts.query("select distinct load_id from intermediate.int_event_receipts")
    assert {row["load_id"] for row in read} == {1, 2, 3, 4, 5}


def test_notes_that_all_have_seen_are_forgotten(behind_parts: Home) -> None:
    assert behind_parts.query("select count(*) as n from raw.session_changes")[0]["n"] == 0
    following = {
        row["model"] for row in behind_parts.query("select distinct model from raw.changes_seen")
    }
    assert "mart_sessions" in following


def test_rows_that_are_judged_alone_are_judged_by_the_agents_they_bring(workshop: Workshop) -> None:
    home = workshop.home("judged_alone")
    home.drop("generic", "first", visit("a", "05", "view_item"))
    home.night()
    bot = [{**row, "user_agent": "Googlebot/2.1"} for row in visit("b", "06", "view_item")]
    home.drop("generic", "second", bot)
    home.land()
    dbt_runner.prepare_manifest(home.settings, report=lambda _: None)
    definitions = build_definitions(home.settings, dbt_runner.load_manifest(home.settings))
    with DagsterInstance.ephemeral() as instance:
        # as a click on the table in the UI does
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[AssetKey(["intermediate", "int_event_receipts"])],
        )
    home.night()
    judged = home.query("select outcome from intermediate.int_event_receipts where load_id = 2")
    assert judged == [{"outcome": "refused"}]
