"""Fixtures of this folder only."""

import pytest
from pipeline.homes import Workshop
from pipeline.valued_home import ValuedHome, build_valued_home


@pytest.fixture(scope="session")
def valued(workshop: Workshop) -> ValuedHome:
    """One valued home for all tests that read it; who changes it takes a copy."""
    return build_valued_home(workshop)
