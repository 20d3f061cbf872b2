"""Landing: files dropped under <home>/landing/<source>/, or an attached table, become raw tables.

Belongs here: everything between the folder and schema raw; `land` is the one way in.
Does not belong here: what an event means (dbt models), the writer's lock (the caller holds it).

run.py decides and tells. On its road: files.py (what lies there), reading.py and mending.py (rows),
columns.py and values.py (what they mean), warehouse.py and ledger.py (writing), declaration.py
(the tables), attached.py (a table in place of files), result.py (what came of it). ahead.py begins
before a first landing.
"""

from orchestration.landing.ahead import looking_ahead
from orchestration.landing.attached import attach_sql, attached_sources, attachments
from orchestration.landing.declaration import RAW_TABLE, create_raw_tables
from orchestration.landing.files import listing, newest_change
from orchestration.landing.result import LandingResult, SourceLanding
from orchestration.landing.run import land, land_days
from orchestration.sources import SOURCES

__all__ = [
    "RAW_TABLE",
    "SOURCES",
    "LandingResult",
    "SourceLanding",
    "attach_sql",
    "attached_sources",
    "attachments",
    "create_raw_tables",
    "land",
    "land_days",
    "listing",
    "looking_ahead",
    "newest_change",
]
