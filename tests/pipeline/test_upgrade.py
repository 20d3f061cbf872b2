"""Today's program over a warehouse that the first landed state of the project made."""

from pathlib import Path

import duckdb
import pytest
from pipeline.histories import generic_event
from pipeline.homes import Home
from pipeline.killed import Run
from pipeline.valued_home import VERSION_MOMENT

from orchestration.settings import PROJECT_ROOT, Settings

RECORDED = PROJECT_ROOT / "tests" / "orchestration" / "layouts" / "foundation.sql"


@pytest.mark.deep
def test_a_night_over_the_oldest_warehouse_keeps_its_events_and_its_versions(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, Settings(tmp_path, PROJECT_ROOT / "seeds"))
    warehouse = home.settings.warehouse
    warehouse.parent.mkdir()
    with duckdb.connect(str(warehouse)) as con:
        con.execute(RECORDED.read_text(encoding="utf-8"))
    home.drop("generic", "new", [generic_event("new visitor", VERSION_MOMENT, "view_item")])
    run = Run(tmp_path, ("nightly",))
    assert run.wait() == 0, "\n".join(run.lines)
    assert any("Building all rows anew" in line for line in run.lines)
    visitors = home.query("select distinct visitor_id from marts.mart_sessions order by all")
    assert [row["visitor_id"] for row in visitors] == ["new visitor", "old visitor"]
    values = home.query(
        "select value_version, value from marts.mart_micro_values "
        "where micro_conversion = 'cart_filled' and value_version = '2025-Q2'"
    )
    assert [float(row["value"]) for row in values] == [20]
    with duckdb.connect(str(home.settings.serving / "intent_map.duckdb"), read_only=True) as con:
        published = {
            name
            for (name,) in con.execute(
                "select table_name from information_schema.tables"
            ).fetchall()
        }
    assert "mart_sessions" in published
    assert "mart_of_that_time" not in published
