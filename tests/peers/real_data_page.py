"""What docs/real_data.md says: its counts and its command, so that tests can hold it to them."""

import re

from pipeline.homes import Home

from orchestration.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "real_data.md"
COUNTS = """
    select 'raw rows' as what, count(*) as number from intermediate.int_event_receipts
    union all
    select outcomes.outcome, count(receipts.outcome)
    from unnest(['accepted', 'duplicate', 'refused']) as outcomes (outcome)
    left join intermediate.int_event_receipts as receipts using (outcome)
    group by outcomes.outcome
    union all
    select 'visitors', count(distinct visitor_id) from marts.mart_sessions
    union all
    select 'sessions', count(*) from marts.mart_sessions
    union all
    select 'sessions with a single event', count(*) from marts.mart_sessions where events = 1
    union all
    select 'micro-conversions', count(*) from marts.mart_micro_conversions
    union all
    select micro_conversion, count(*) from marts.mart_micro_conversions group by micro_conversion
    union all
    select 'macro-conversions', count(*) from marts.mart_macro_conversions
    union all
    select 'revenue, USD', sum(value) from marts.mart_macro_conversions
"""


def documented_counts(folder: str) -> dict[str, float]:
    """The column of one data set in the table of counts; - stands for none."""
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.count("|") == 4
    ]
    (header,) = [
        number for number, cells in enumerate(table) if not cells[0] and f"`{folder}`" in cells
    ]
    column = table[header].index(f"`{folder}`")
    counts = {}
    for cells in table[header + 2 :]:
        micro = re.search(r"`(\w+)`", cells[0])
        if cells[column] != "-":
            name = micro.group(1) if micro else cells[0]
            counts[name] = float(cells[column].replace(",", ""))
    return counts


def counts(home: Home) -> dict[str, float]:
    """The same of a home."""
    return {row["what"]: float(row["number"]) for row in home.query(COUNTS)}


def documented_conversion() -> str:
    """The SQL that gives the log the names of the generic columns, with $DATA and
    $INTENT_MAP_HOME in it."""
    (sql,) = re.findall(r"<<SQL\n(copy .*?)\nSQL\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return sql
