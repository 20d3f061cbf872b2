"""Dagster with its daemon: workers killed, the machine gone down, nights missed; all by itself.

The worker of a run is killed at a moment that nobody chose, or all processes at once. What the next
night leaves is compared, table by table, with a night that nobody disturbed.
"""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest
from dagster._core.scheduler.instigation import InstigatorType
from pipeline.home_search import places_that_hold
from pipeline.killed import (
    Shop,
    Undisturbed,
    build_shop,
    check_served,
    put_back,
    state_of,
    unequal,
)
from running_dagster import RunningDagster

from orchestration.defs.steps import WRITER_POOL
from orchestration.runs import dagster_instance
from orchestration.settings import PROJECT_ROOT, Settings

NIGHTLY, ERASE = "nightly_refresh", "erase_user"
KEY = "a key"
KILLS = 4
# of a night, raw ones and what is published among them
TABLES = 80
DAY = 24 * 60 * 60
SCHEDULE = "nightly_refresh_at_3"
LIMIT_POOL = "mutation ($pool: String!) { setConcurrencyLimit(concurrencyKey: $pool, limit: 1) }"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> Undisturbed:
    return shop.undisturbed(("nightly",))


@pytest.fixture
def dagster(shop: Shop, undisturbed: Undisturbed) -> Iterator[RunningDagster]:
    put_back(shop.base, shop.home)
    running = started(shop)
    yield running
    running.end()


def started(shop: Shop) -> RunningDagster:
    log = shop.home.parent / "dagster.log"
    running = RunningDagster(shop.home, log, INTENT_MAP_HASH_KEY=KEY)
    running.wait()
    return running


def begun(dagster: RunningDagster) -> str:
    """A nightly run whose worker is at work; one that was killed before may have to be found."""
    run = dagster.launch(NIGHTLY)
    state = dagster.wait_for(run, ("STARTED", "SUCCESS", "FAILURE"))
    assert state == "STARTED", dagster.said(run)
    return run


def chosen(kills: int, seed: int) -> list[int]:
    """So many moments all over a night, as the number of tables that are built by then."""
    rng, part = random.Random(seed), TABLES / kills
    return [int((number + rng.random()) * part) for number in range(kills)]


def wait_for_tables(dagster: RunningDagster, run: str, tables: int) -> None:
    while dagster.said(run).count("Materialized value") < tables:
        assert dagster.status(run) == "STARTED", dagster.said(run)
        time.sleep(0.1)


@pytest.mark.deep
def test_a_run_whose_worker_is_killed_holds_up_nobody_and_is_repaired_by_the_next(
    shop: Shop, undisturbed: Undisturbed, dagster: RunningDagster
) -> None:
    assert dagster.ask(LIMIT_POOL, pool=WRITER_POOL)["setConcurrencyLimit"]
    killed = []
    for tables in chosen(KILLS, seed=4):
        run = begun(dagster)
        wait_for_tables(dagster, run, tables)
        os.kill(dagster.worker(run), signal.SIGKILL)
        killed.append(run)
        check_served(shop.home / "serving")
        print(f"killed after {tables} tables:", dagster.said(run)[-300:], flush=True)
    last = dagster.launch(NIGHTLY)
    assert dagster.wait_for(last) == "SUCCESS", dagster.said(last)
    for run in killed:
        assert dagster.status(run) == "FAILURE"
        assert "was terminated by signal 9" in dagster.said(run)
    assert unequal(undisturbed.state, state_of(shop.home)) == []


@pytest.mark.deep
def test_after_the_machine_went_down_the_night_that_was_missed_runs_by_itself(
    shop: Shop, undisturbed: Undisturbed, dagster: RunningDagster
) -> None:
    run = begun(dagster)
    (tables,) = chosen(1, seed=5)
    wait_for_tables(dagster, run, tables)
    dagster.kill()
    assert dagster.processes() == {}
    check_served(shop.home / "serving")
    look_two_days_ago(shop)
    again = started(shop)
    try:
        assert again.wait_for(run) == "FAILURE"
        assert "is gone: it was killed, the machine was restarted, or" in again.said(run)
        deadline = time.monotonic() + 400
        while not (scheduled := by_schedule(again)):
            assert time.monotonic() < deadline, again.log.read_text()
            time.sleep(1)
        # of two nights that were missed one runs, which brings everything
        (night,) = scheduled
        assert again.wait_for(night) == "SUCCESS", again.said(night)
        assert unequal(undisturbed.state, state_of(shop.home)) == []
    finally:
        again.end()


def look_two_days_ago(shop: Shop) -> None:
    """Let the daemon have looked at its schedules two days ago for the last time."""
    moment = time.time() - 2 * DAY
    settings = Settings(shop.home, PROJECT_ROOT / "seeds")
    with dagster_instance(settings) as instance:
        states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
        assert SCHEDULE in {state.instigator_name for state in states}
        for state in states:
            looked = state.instigator_data._replace(
                start_timestamp=moment, last_iteration_timestamp=moment
            )
            instance.update_instigator_state(state.with_data(looked))


def by_schedule(dagster: RunningDagster) -> list[str]:
    """The nightly runs that the schedule started."""
    return [
        run["runId"]
        for run in dagster.runs(NIGHTLY)
        if run["tags"].get("dagster/schedule_name") == SCHEDULE
    ]


@pytest.mark.deep
def test_an_erasure_started_in_the_launchpad_leaves_no_id_while_dagster_runs_on(
    shop: Shop, dagster: RunningDagster
) -> None:
    (shop.home / "landing" / "generic" / "gone.csv").write_text(
        "visitor_id,user_id,occurred_at,event_name\n"
        + "".join(f"device-gone,login-gone,2025-05-0{n} 10:00:00,page_view\n" for n in range(1, 9)),
        encoding="utf-8",
    )
    night = dagster.launch(NIGHTLY)
    assert dagster.wait_for(night) == "SUCCESS", dagster.said(night)

    def asked(path: object) -> dict:
        return {"ops": {"erase": {"config": {"file": str(path)}}}}

    folder = shop.home.parent
    # who types the id where a file belongs leaves it in the list of runs
    typed = dagster.launch(ERASE, asked("login-gone"))
    assert dagster.wait_for(typed) == "FAILURE"
    assert dagster.reason(typed) == (
        "The file login-gone cannot be read (No such file or directory)."
    )
    (folder / "empty").write_text("\n", encoding="utf-8")
    empty = dagster.launch(ERASE, asked(folder / "empty"))
    assert dagster.wait_for(empty) == "FAILURE"
    assert "names nobody: write one id a line" in dagster.reason(empty)
    said = dagster.refusal(ERASE, {"ops": {"erase": {"config": {"files": "x"}}}})
    assert 'Missing required config entry "file"' in said

    held = places_that_hold(shop.home, "device-gone|login-gone")
    assert {name.split("/")[0] for name in held} == {"landing", "warehouse", "dagster"}
    (folder / "ids").write_text("login-gone\n", encoding="utf-8")
    erasure = dagster.launch(ERASE, asked(folder / "ids"))
    assert dagster.wait_for(erasure) == "SUCCESS", dagster.said(erasure)
    assert places_that_hold(shop.home, "device-gone|login-gone") == {}
    assert dagster.reason(typed).startswith("The file (erased) cannot be read")
    # the UI goes on with what was cleaned below it
    night = dagster.launch(NIGHTLY)
    assert dagster.wait_for(night) == "SUCCESS", dagster.said(night)
