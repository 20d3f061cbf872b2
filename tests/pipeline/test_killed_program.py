"""The program itself, killed by the kernel at moments that nobody chose, and run again."""

import random
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from pipeline.generated import Policy, drawn, files_by_night, named
from pipeline.histories import NIGHTS, shop_history
from pipeline.homes import Home, Workshop, differences, differing_tables
from pipeline.killed import Prints, Run, prints_of, put_back, served_state, unequal
from pipeline.valued_home import VERSION_DATE, VERSION_MOMENT

from orchestration.settings import PROJECT_ROOT, Settings

KILLS_OF_A_NIGHT = 3
KILLS = 50
NIGHTLY, QUARTERLY = ("nightly",), ("quarterly", "--as-of", "2025-07-01")


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nobody kills: its steps with their seconds, tables, served file."""

    steps: list[str]
    seconds: list[float]
    prints: Prints
    served: dict[str, str]


@dataclass(frozen=True)
class Shop:
    """A home with a version behind it and files that wait; base: its copy to begin from."""

    home: Path
    base: Path

    def undisturbed(self, command: tuple[str, ...]) -> Undisturbed:
        put_back(self.base, self.home)
        run = Run(self.home, command)
        assert run.wait() == 0, "\n".join(run.lines)
        return Undisturbed(
            [step for step, _ in run.steps[:-1]],
            run.seconds_of_steps(),
            prints_of(self.home),
            served_state(self.home / "serving"),
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    home = Home(folder / "home", Settings(folder / "home", PROJECT_ROOT / "seeds"))
    rows = sorted(shop_history(VERSION_MOMENT, visitors=150), key=lambda row: row["occurred_at"])
    now = str(VERSION_MOMENT)
    home.drop("generic", "earlier", [row for row in rows if row["occurred_at"] < now])
    first = Run(home.path, ("quarterly", "--as-of", str(VERSION_DATE)))
    assert first.wait() == 0, "\n".join(first.lines)
    later = [row for row in rows if row["occurred_at"] >= now]
    home.drop("generic", "later", later[::2])
    home.drop("generic", "latest", later[1::2])
    home.drop(
        "ad_spend",
        "spend",
        [
            {"date": f"2025-04-{day:02}", "campaign": "brand shoes", "cost": day, "currency": "USD"}
            for day in range(1, 20)
        ],
    )
    base = folder / "base"
    put_back(home.path, base)
    return Shop(home.path, base)


@pytest.mark.deep
def test_runs_killed_in_every_step_leave_the_next_one_nothing_to_mend_by_hand(shop: Shop) -> None:
    """Fifty kills, drawn over the steps and the length of each; up to five before a run is left
    in peace. Then all tables, the kept versions and what is served are as if nothing
    had happened, and what is served can be read after each kill."""
    rng = random.Random(20)
    commands = cycle((NIGHTLY, QUARTERLY, NIGHTLY))
    references = {command: shop.undisturbed(command) for command in (NIGHTLY, QUARTERLY)}
    killed: dict[str, int] = {}
    broken, repaired = [], 0
    # each step gets its turn, however short it is
    turns = {name: cycle(range(len(it.steps))) for name, it in references.items()}
    for in_a_row in cycle((1, 2, 4, 5)):
        if sum(killed.values()) >= KILLS:
            break
        command = next(commands)
        reference = references[command]
        put_back(shop.base, shop.home)
        moments = []
        while len(moments) < in_a_row:
            step = next(turns[command])
            moment = rng.random() * reference.seconds[step]
            if Run(shop.home, command).kill(step, moment):
                moments.append(f"{moment:.2f} s into {reference.steps[step]}")
                killed[reference.steps[step]] = killed.get(reference.steps[step], 0) + 1
                served_state(shop.home / "serving")
        again = Run(shop.home, command)
        status = again.wait()
        differing = ["the run itself", *again.lines[-3:]]
        if status == 0:
            differing = unequal(reference.prints, prints_of(shop.home))
            differing += unequal(reference.served, served_state(shop.home / "serving"))
        if differing:
            broken.append(f"{command} killed {', '.join(moments)}: {differing}")
        else:
            repaired += in_a_row
        print(
            f"{sum(killed.values())} kills, {repaired} repaired: {', '.join(moments)}", flush=True
        )
    assert not broken, "\n".join(broken)
    assert killed.keys() >= {"landing", "nightly_models", "quarterly_models", "published_marts"}


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
            run = Run(home.settings.home, NIGHTLY)
            killed += run.kill(0, rng.uniform(0.2, 0.95) * seconds)
        if night == 0 or night % 2:
            begun = time.monotonic()
            run = Run(home.settings.home, NIGHTLY)
            assert run.wait() == 0, "\n".join(run.lines)
            seconds = time.monotonic() - begun
    home.night()
    assert killed >= NIGHTS
    refreshed = home.copy("killed_refreshed")
    refreshed.night(full_refresh=True)
    said = differences(*differing_tables(home, refreshed))
    assert not said, "\n".join(said)
