"""What several folders of tests share: the workshop, the peers' data, and who runs with whom.

Belongs here: fixtures, and the groups of tests that one process runs. Does not belong here: how a
home is built (pipeline/homes.py).
"""

import functools
import os
from pathlib import Path

import pytest
from pipeline.homes import Workshop
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
# fixtures for the whole session that take long: how a test asks for one
BUILT_ONCE = {"promise": "promise: Done", "valued": "valued: ValuedHome"}
# what takes longest comes first, so that no process is left with it at the end
LONGEST_FIRST = ("pipeline", "peers", "orchestration", "bench", "conventions")
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


class ByHome(LoadScopeScheduling):
    """A file's tests stay in one process, and so do all files that ask for the same home.

    Not --dist loadgroup: xdist 3.8 writes a group where pytest 9.2 no longer looks for it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid.split("::", 1)[0])


@functools.cache
def scope_of(file: str) -> str:
    """Of a file of tests, by its path: the home that it shares with others, else itself."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return next((name for name, asked in BUILT_ONCE.items() if asked in text), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByHome:
    return ByHome(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
