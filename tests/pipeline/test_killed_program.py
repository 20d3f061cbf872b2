"""The program itself, killed by the kernel at moments that nobody chose, and run again."""

import os
import random
import subprocess
import sys
import time

import pytest
from pipeline.generated import Policy, drawn, files_by_night, named
from pipeline.histories import NIGHTS
from pipeline.homes import Home, Workshop, differences, differing_tables

from orchestration.settings import PROJECT_ROOT

KILLS_OF_A_NIGHT = 3


def start(home: Home) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if "INTENT_MAP" not in name}
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("INTENT_MAP_")
    }
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration", "nightly"],
        cwd=PROJECT_ROOT,
        env=environ | {"INTENT_MAP_HOME": str(home.settings.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.deep
def test_a_program_killed_at_any_moment_is_repaired_by_the_next_night(workshop: Workshop) -> None:
    """The last kill of every other night is not made good by the same night but by the next."""
    rng = random.Random(9)
    home = workshop.home("killed")
    files = files_by_night(named(drawn(Policy(), 300, 7)).values())
    seconds, killed = 20.0, 0
    for night in range(NIGHTS):
        for (source, name), rows in files[night].items():
            home.drop(source, name, rows)
        home.take_up()
        for _ in range(KILLS_OF_A_NIGHT if night else 0):
            run = start(home)
            time.sleep(rng.uniform(0.2, 0.95) * seconds)
            killed += run.poll() is None
            run.kill()
            run.communicate()
        if night == 0 or night % 2:
            begun = time.monotonic()
            run = start(home)
            told, _ = run.communicate()
            assert run.returncode == 0, told
            seconds = time.monotonic() - begun
    home.night()
    assert killed >= NIGHTS
    refreshed = home.copy("killed_refreshed")
    refreshed.night(full_refresh=True)
    said = differences(*differing_tables(home, refreshed))
    assert not said, "\n".join(said)
