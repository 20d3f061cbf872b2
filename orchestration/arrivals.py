"""What became of the rows that a run found new: accepted, duplicate, refused, late.

Belongs here: counting them while dbt has the warehouse open. Does not belong here: deciding about a
row (dbt_project/models/intermediate), showing the counts (defs/dbt_assets.py).
"""

import contextlib
from collections.abc import Mapping
from typing import Any

import duckdb

from orchestration import dbt_runner
from orchestration.policy import effective_vars
from orchestration.settings import Settings

MODEL = "int_event_receipts"
COUNTED = ("rows in", "accepted", "duplicate", "refused", "late")


def seen_before(settings: Settings) -> dict[str, int]:
    """Source → the last load that the models have seen; asked before dbt opens the warehouse."""
    with (
        contextlib.suppress(duckdb.Error),
        duckdb.connect(str(settings.warehouse), read_only=True) as con,
    ):
        rows = con.execute(
            "select source_system, load_id from raw.watermarks where model = ?", [MODEL]
        ).fetchall()
        return dict(rows)
    return {}


def what_became_of_them(
    settings: Settings, node: Mapping[str, Any], seen: Mapping[str, int]
) -> dict[str, int]:
    """The counts of rows of loads after those in `seen`; all of them where all was built anew."""
    hours = effective_vars(settings)["late_event_hours"]
    rows = dbt_runner.query(
        f"""
        select
            count(*),
            count(*) filter (where outcome = 'accepted'),
            count(*) filter (where outcome = 'duplicate'),
            count(*) filter (where outcome = 'refused'),
            count(*) filter (
                where outcome = 'accepted' and landed_at > occurred_at + interval '{hours} hours'
            )
        from {dbt_runner.table_of(node)}
        where {_is_new(seen)}
        """
    )
    return dict(zip(COUNTED, rows[0], strict=True)) if rows else {}


def _is_new(seen: Mapping[str, int]) -> str:
    """SQL of whether a row came with a load after those in `seen`."""
    if not seen:
        return "true"
    newer = " or ".join(
        f"(source_system = '{source}' and load_id > {load_id})" for source, load_id in seen.items()
    )
    now = dbt_runner.query(f"select source_system from raw.watermarks where model = '{MODEL}'")
    if now and {source for (source,) in now} <= seen.keys():
        # by one bound, so that older rows need not be read
        return f"({newer}) and load_id > {min(seen.values())}"
    # a source that was never seen is new as a whole
    known = ", ".join(f"'{source}'" for source in seen)
    return f"{newer} or source_system not in ({known})"
