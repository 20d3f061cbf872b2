"""The work of a night follows what arrived: rows written, and rows read, on top of a short past and
of one twelve times as long, by the same visitors and more."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from pipeline.work_counted import Work, counted_work

# Models that read more, the longer the past is: they look at all rows of one of the tables below
# them, if only at a column. One that has come to follow what arrived must leave the list: until it
# does the test fails.
READS_GROW = frozenset(
    (
        *("int_event_receipts", "int_all_sessions", "int_daily_micro_rates", "int_daily_refunds"),
        *("int_bot_sessions", "int_macro_conversions", "int_micro_conversions", "int_refunds"),
        *("int_session_credits", "int_session_stages", "int_session_states"),
        *("int_traffic_sources", "int_visitor_identities", "int_funnel_progress"),
        *("val_attribution_credits", "val_channel_transitions", "val_session_steps"),
        *("val_session_values", "mart_attribution", "mart_campaign_returns"),
        *("mart_daily_funnels", "mart_daily_values", "mart_early_warnings", "mart_event_audit"),
        *("mart_funnel_leaks", "mart_funnel_steps", "mart_macro_conversions"),
        *("mart_micro_conversions", "mart_sessions", "mart_value_backtest_summary"),
    )
)

SHORT, LONG = 20, 240
# grown: by half, where the past is twelve times as long
GROWTH, FEW_ROWS = 1.5, 150
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

    def grown(self, what: str) -> dict[str, tuple[int, int]]:
        """Models whose work grew with the past → before and after."""
        found = {}
        for model, work in self.long.items():
            before, after = getattr(self.short[model], what), getattr(work, what)
            if after > GROWTH * before + FEW_ROWS:
                found[model] = (before, after)
        return found


def two_nights(home: Home, visitors: int) -> TwoNights:
    drop_visits(home, "past", 1, SHORT, visitors)
    home.night()
    drop_visits(home, "arrived", 0, 0, 10)
    with counted_work(home.path) as short:
        home.night()
    # a past that came late is a past all the same
    drop_visits(home, "longer", SHORT + 1, LONG, visitors)
    home.night()
    drop_visits(home, "arrived_too", -1, -1, 10)
    with counted_work(home.path) as long:
        home.night()
    assert short.keys() == long.keys()
    return TwoNights(short, long)


# shorter than the short past, so that what reaches back a look-back has all of it in both
POLICY = {"attribution_look_back_days": 10}


def said(found: dict[str, tuple[int, int]], listed: frozenset[str]) -> str:
    lines = [f"{model} grew and is not listed: {found[model]}" for model in found.keys() - listed]
    lines += [f"{model} is listed and did not grow" for model in listed - found.keys()]
    return "\n".join(sorted(lines))


def test_rows_written_follow_what_arrived(workshop: Workshop) -> None:
    found = two_nights(workshop.home("work", POLICY), visitors=40).grown("written")
    assert not found, said(found, frozenset())


@pytest.mark.deep
def test_rows_read_follow_what_arrived_but_for_the_models_listed(workshop: Workshop) -> None:
    """So many rows that a scan can leave out most groups of them."""
    nights = two_nights(workshop.home("work_at_scale", POLICY), visitors=1_000)
    found = nights.grown("read")
    assert nights.long["mart_sessions"].read > 100_000
    assert not said(found, READS_GROW), said(found, READS_GROW)
    assert not nights.grown("written")
