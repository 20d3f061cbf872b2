"""Fixtures that several folders of tests share: the workshop, and the peers' data.

Belongs here: fixtures only. Does not belong here: how a home is built (pipeline/homes.py).
"""

import os
from pathlib import Path

import pytest
from pipeline.homes import Workshop

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("INTENT_MAP_SHARED_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Makes homes; what dbt has parsed for one of them serves the others too."""
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of other authors' data; without it the test is skipped and says so."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"other authors' data is not there: {SHARED_DATA}")
    return SHARED_DATA
