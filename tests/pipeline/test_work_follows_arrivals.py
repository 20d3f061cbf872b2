"""The work of a night follows what arrived: rows written, and rows read, on top of a short past and
of one twelve times as long, by the same visitors and more."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from pipeline.work_counted import Work, counted_work

# Models that read more, the longer the past is, if only at a column or two of a table below them:
# a copy, a visitor and an order may come back after any time, a source is counted over all of it,
# a path's earlier visits and the orders that a change reaches are looked for in all;
# mart_attribution reads the three months that a change may reach, and no more. One that has come
# to follow what arrived must leave the list: until it does the test fails.
READS_GROW = frozenset(
    (
        *("int_event_receipts", "int_all_sessions", "int_traffic_sources"),
        *("int_macro_conversions", "int_session_credits", "mart_macro_conversions"),
        *("val_channel_transitions", "mart_attribution", "mart_value_backtest_summary"),
    )
)

SHORT, LONG = 30, 360
# grown: by half, where the past is twelve times as long
GROWTH, FEW_ROWS = 1.5, 150
# what DuckDB reads or leaves out as one
ROW_GROUP = 122_880
# visits of days counted back from 1 June 2025: one visitor in two comes every day, of the others
# each comes once
VISITS = """
    copy (
        select
            case when number % 2 = 0 then 'regular ' || number else number || ' of ' || day end
                as visitor_id,
            timestamp '2025-06-01 08:00:00' - to_days(cast(day as integer))
            + to_minutes(cast(number % 700 as integer)) + to_seconds(cast(step * 20 as integer))
                as occurred_at,
            ['page_view', 'view_item', 'scroll', 'add_to_cart', 'purchase'][step] as event_name,
            day || '-' || number || '-' || step as event_id,
            case when step = 5 then '20' end as value,
            case when number % 3 > 0 then 'newsletter' end as source,
            case when number % 3 > 0 then 'email' end as medium
        from range({first}, {last} + 1) as days (day)
        cross join range({visitors}) as numbers (number)
        cross join range(1, 6) as steps (step)
        where step <= 2 + number % 4
        order by day desc
    ) to '{file}'
"""


def drop_visits(home: Home, name: str, first: int, last: int, visitors: int) -> None:
    """Visits of the days from `first` days before 1 June 2025 back to `last` days before it."""
    file = home.landing("generic") / f"{name}.parquet"
    with duckdb.connect() as connection:
        connection.execute(VISITS.format(first=first, last=last, visitors=visitors, file=file))


@dataclass(frozen=True)
class TwoNights:
    """The same arrivals on top of a short past, and of a long one."""

    short: Mapping[str, Work]
    long: Mapping[str, Work]

    def grown(self, what: str, few: int) -> dict[str, tuple[int, int]]:
        """Models whose work grew with the past by more than a few rows → before and after."""
        found = {}
        assert self.short.keys() == self.long.keys()
        for model, work in self.long.items():
            before, after = getattr(self.short[model], what), getattr(work, what)
            if after > GROWTH * before + few:
                found[model] = (before, after)
        return found


def night_on_top(home: Home, days: int, visitors: int) -> Mapping[str, Work]:
    """The work of a night with ten visits, on a past of so many days that was built at once."""
    drop_visits(home, "past", 1, days, visitors)
    home.night()
    drop_visits(home, "arrived", 0, 0, 10)
    with counted_work(home.path) as work:
        home.night()
    return work


# shorter than the short past, so that what reaches back a look-back has all of it in both
POLICY = {"attribution_look_back_days": 10}


def said(found: dict[str, tuple[int, int]], listed: frozenset[str]) -> str:
    lines = [f"{model} grew and is not listed: {found[model]}" for model in found.keys() - listed]
    lines += [f"{model} is listed and did not grow" for model in listed - found.keys()]
    return "\n".join(sorted(lines))


@pytest.mark.deep
def test_rows_written_follow_what_arrived(workshop: Workshop) -> None:
    home = workshop.home("work", POLICY)
    short = night_on_top(home, SHORT, visitors=40)
    # a past that came late is a past all the same
    drop_visits(home, "longer", SHORT + 1, LONG, 40)
    home.night()
    drop_visits(home, "arrived_too", -1, -1, 10)
    with counted_work(home.path) as long:
        home.night()
    found = TwoNights(short, long).grown("written", FEW_ROWS)
    assert not found, said(found, frozenset())


def test_without_arrivals_no_event_is_read_again(workshop: Workshop) -> None:
    """Where the source says what a session is, an arrival reaches all events of its visitor."""
    home = workshop.home("work_of_nothing", {"session_id_source": "source"})
    sessions = ["+int_session_events"]
    drop_visits(home, "past", 1, SHORT, 300)
    home.night(select=sessions)
    with counted_work(home.path) as work:
        home.night(select=sessions)
    events = home.query("select count(*) as events from intermediate.int_session_events")
    assert work["int_session_events"].statements > 0
    assert work["int_session_events"].read < events[0]["events"] / 5


@pytest.mark.deep
def test_rows_read_follow_what_arrived_but_for_the_models_listed(workshop: Workshop) -> None:
    """So many rows that a scan can leave out most groups of them."""
    nights = TwoNights(
        *(
            night_on_top(workshop.home(f"work_on_{days}_days", POLICY), days, visitors=3_000)
            for days in (SHORT, LONG)
        )
    )
    assert nights.long["int_event_receipts"].read > 2_000_000
    found = nights.grown("read", 2 * ROW_GROUP)
    assert not said(found, READS_GROW), said(found, READS_GROW)
    assert not nights.grown("written", FEW_ROWS)
