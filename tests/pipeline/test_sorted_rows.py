"""What `in_sorted_rows` rests on: DuckDB reads a sorted query's rows in their order.

Belongs here: its windows on enough rows to fill many row groups, on several threads, spilled to
disk, with the settings of the warehouse. Does not belong here: the rules of sessions.
"""

from pathlib import Path

import duckdb
import jinja2
import pytest

ROOT = Path(__file__).resolve().parents[2]
MACRO = ROOT / "dbt_project" / "macros" / "dialect" / "windows.sql"
ROWS = 2_000_000


def in_sorted_rows(function: str, so_far: bool = False) -> str:
    """The macro's text on DuckDB."""
    template = jinja2.Environment().from_string(MACRO.read_text(encoding="utf-8"))
    return template.module.duckdb__in_sorted_rows(function, ["visitor"], "moment", so_far)


@pytest.mark.parametrize("memory", ["2GB", "70MB"], ids=["in memory", "spilled"])
def test_windows_over_sorted_rows_see_each_row_behind_the_one_before(tmp_path, memory):
    with duckdb.connect(str(tmp_path / "sorted.duckdb")) as connection:
        connection.execute(
            f"set threads = 4; set memory_limit = '{memory}'; "
            f"set temp_directory = '{tmp_path}/spill'; set preserve_insertion_order = false"
        )
        connection.execute(
            f"""
            create table events as
            select hash(i) % 100000 as visitor, hash(i, 1) % 1000000 as moment, i as event
            from range({ROWS}) as numbers (i)
            """
        )
        connection.execute(
            f"""
            create table streamed as
            with sorted as (
                select * from events order by visitor, moment, event
            ),
            compared as (
                select
                    *,
                    {in_sorted_rows("row_number()")} as place,
                    {in_sorted_rows("lag(visitor)")} as visitor_before,
                    {in_sorted_rows("lag(moment)")} as before,
                    {in_sorted_rows("lead(moment)")} as behind
                from sorted
            )
            select
                *,
                {
                in_sorted_rows(
                    "last_value(case when visitor_before is distinct from visitor then place"
                    " end ignore nulls)",
                    so_far=True,
                )
            } as first_place
            from compared
            """
        )
        connection.execute(
            """
            create table partitioned as
            select
                *,
                row_number() over of_visitor as place_of_visitor,
                lag(moment) over of_visitor as before,
                lead(moment) over of_visitor as behind
            from events
            window of_visitor as (partition by visitor order by moment, event)
            """
        )
        (different,) = connection.execute(
            """
            select count(*)
            from streamed full join partitioned on streamed.event = partitioned.event
            where
                streamed.place - streamed.first_place + 1 is distinct from place_of_visitor
                or (place_of_visitor > 1 and streamed.before is distinct from partitioned.before)
                or (
                    partitioned.behind is not null
                    and streamed.behind is distinct from partitioned.behind
                )
            """
        ).fetchone()
    assert different == 0
