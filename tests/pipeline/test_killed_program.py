"""The program itself, killed by the kernel at moments that nobody chose, and run again."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import pytest
from pipeline.generated import Policy, drawn, files_by_night, named
from pipeline.histories import NIGHTS
from pipeline.homes import Workshop, differences, differing_tables
from pipeline.killed import (
    Run,
    Shop,
    Undisturbed,
    build_shop,
    check_served,
    put_back,
    state_of,
    unequal,
)

KILLS_OF_A_NIGHT = 3
KILLS = 50
NIGHTLY, QUARTERLY = ("nightly",), ("quarterly", "--as-of", "2025-07-01")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build_shop(tmp_path_factory.mktemp("shop"))


@dataclass
class Outcome:
    """So many kills of each step; so many of them made good; and what was not."""

    killed: dict[str, int]
    repaired: int
    broken: list[str]


def kill_in_every_step(
    shop: Shop, references: Mapping[tuple[str, ...], Undisturbed], kills: int, seed: int
) -> Outcome:
    """Kills drawn over the steps and the length of each, up to four before a run is left in
    peace; each step gets its turn, however short it is. Raises AssertionError when what is served
    cannot be read after a kill."""
    rng = random.Random(seed)
    outcome = Outcome({}, 0, [])
    commands = cycle((NIGHTLY, QUARTERLY, NIGHTLY))
    turns = {command: cycle(range(len(it.steps))) for command, it in references.items()}
    for in_a_row in cycle((1, 2, 3, 4)):
        if sum(outcome.killed.values()) >= kills:
            return outcome
        command = next(commands)
        reference = references[command]
        put_back(shop.base, shop.home)
        moments = []
        while len(moments) < in_a_row:
            number = next(turns[command])
            step, moment = reference.steps[number], rng.random() * reference.seconds[number]
            if Run(shop.home, command).kill(number, moment):
                moments.append(f"{moment:.2f} s into {step}")
                outcome.killed[step] = outcome.killed.get(step, 0) + 1
                check_served(shop.home / "serving")
        differing = differing_after(Run(shop.home, command), reference)
        if differing:
            outcome.broken.append(f"{command} killed {moments}: {differing}")
        else:
            outcome.repaired += in_a_row
        total = sum(outcome.killed.values())
        print(f"{total} kills, {outcome.repaired} repaired: {moments} {differing}", flush=True)


def differing_after(run: Run, reference: Undisturbed) -> list[str]:
    """In what a run that is left in peace differs from one that nobody disturbed before."""
    if run.wait() != 0:
        return ["the run itself", *run.lines[-3:]]
    return unequal(reference.state, state_of(run.home))


@pytest.mark.deep
def test_runs_killed_in_every_step_leave_the_next_one_nothing_to_mend_by_hand(shop: Shop) -> None:
    references = {command: shop.undisturbed(command) for command in (NIGHTLY, QUARTERLY)}
    outcome = kill_in_every_step(shop, references, KILLS, seed=20)
    assert not outcome.broken, "\n".join(outcome.broken)
    steps = {"landing", "nightly_models", "quarterly_models", "published_marts"}
    assert outcome.killed.keys() >= steps


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
