"""Landing: files dropped under <home>/landing/<source>/, or an attached table, become raw tables.

Belongs here: everything between the folder and schema raw; `land` is the one way in.
Does not belong here: what an event means (dbt models), the writer's lock (the caller holds it).
The package in the order of the road: files.py → reading.py (mending.py) → columns.py → run.py,
with ledger.py for what landed before, declaration.py for the tables, attached.py for no files.
"""

from orchestration.landing.attached import attach_sql, attached_sources, attachments
from orchestration.landing.declaration import RAW_TABLE, SOURCES, create_raw_tables
from orchestration.landing.files import listing
from orchestration.landing.run import LandingResult, SourceLanding, land

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
    "listing",
]
