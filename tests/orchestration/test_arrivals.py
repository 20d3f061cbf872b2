"""The counts that a night shows of new rows are those of the loads it had not seen."""

import duckdb
import pytest

from orchestration import arrivals
from orchestration.settings import PROJECT_ROOT, Settings

NODE = {"schema": "intermediate", "name": "int_event_receipts"}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    settings.warehouse.parent.mkdir()
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema raw")
        con.execute(
            "create table raw.watermarks (model varchar, source_system varchar, load_id bigint)"
        )
        con.execute(
            "insert into raw.watermarks values ('int_event_receipts', 'generic', 2), "
            "('int_event_receipts', 'ga4', 5), ('int_sessions', 'generic', 1)"
        )
        con.execute("create schema intermediate")
        con.execute(
            """
            create table intermediate.int_event_receipts as
            select * from (values
                ('generic', 2, 'accepted', timestamp '2026-01-02', timestamp '2026-01-01'),
                ('generic', 3, 'accepted', timestamp '2026-01-02', timestamp '2026-01-01'),
                ('generic', 3, 'accepted', timestamp '2026-01-03', timestamp '2026-01-01'),
                ('generic', 3, 'duplicate', timestamp '2026-01-03', timestamp '2026-01-01'),
                ('ga4', 4, 'refused', timestamp '2026-01-02', null),
                ('ga4', 6, 'refused', timestamp '2026-01-02', null),
                ('segment', 1, 'accepted', timestamp '2026-01-02', timestamp '2026-01-02')
            ) as rows (source_system, load_id, outcome, landed_at, occurred_at)
            """
        )

    def query(sql):
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            return con.execute(sql).fetchall()

    monkeypatch.setattr(arrivals.dbt_runner, "query", query)
    return settings


COUNTS = {"rows in": 5, "accepted": 3, "duplicate": 1, "refused": 1, "late": 1}


def judged(settings, source, load_id):
    """Note what the models have seen, as their run does."""
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "insert into raw.watermarks values ('int_event_receipts', ?, ?)", [source, load_id]
        )


def test_only_loads_that_the_models_had_not_seen_are_counted(settings):
    seen = arrivals.seen_before(settings)
    assert seen == {"generic": 2, "ga4": 5}
    # nothing of it was judged before, and its load is older than the others' last one
    judged(settings, "segment", 1)
    assert arrivals.what_became_of_them(settings, NODE, seen) == COUNTS


def test_where_all_sources_were_seen_older_loads_are_not_read(settings, monkeypatch):
    judged(settings, "segment", 0)
    asked = []
    query = arrivals.dbt_runner.query
    monkeypatch.setattr(arrivals.dbt_runner, "query", lambda sql: asked.append(sql) or query(sql))
    seen = arrivals.seen_before(settings)
    assert arrivals.what_became_of_them(settings, NODE, seen) == COUNTS
    assert asked[-1].rstrip().endswith("and load_id > 0")


def test_where_nothing_was_seen_all_rows_are_new(settings):
    assert arrivals.what_became_of_them(settings, NODE, {})["rows in"] == 7


def test_counts_that_cannot_be_had_are_left_out(settings, monkeypatch):
    monkeypatch.setattr(arrivals.dbt_runner, "query", lambda sql: [])
    assert arrivals.what_became_of_them(settings, NODE, {}) == {}
    settings.warehouse.unlink()
    assert arrivals.seen_before(settings) == {}
