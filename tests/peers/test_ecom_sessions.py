"""An e-commerce log by other authors, through the real nightly and a value version.

Their answers: which events are one session, and for each of 18 micro-conversions how many of its
users purchased strictly later than their first time.
"""

import csv
import dataclasses
import gzip
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.homes import Home, Workshop
from real_data_page import counts, documented_conversion, documented_counts

from orchestration import dbt_runner
from orchestration.business_files import check_business_files
from orchestration.settings import PROJECT_ROOT, Settings

# the log is from January to June 2024: all of it in the look-back, every trial with all its time
VERSION_DATE = date(2025, 7, 1)
FUNNEL = (
    *("catalog", "product_view", "add_to_cart", "cart", "shipping_details", "payment_details"),
    "purchase",
)
WHOLE_LOG_HOURS = 24 * 200
# what the log calls its acquisition channels, and the intent class that the rules give each
CLASSES = {
    "paid_search": "brand",
    "organic": "generic",
    "social": "social",
    "email": "email",
    "direct": "direct",
}
PER_USER = {"trial_unit": "user", "look_back_days": 1095, "horizon_days": 365}


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "ecom_sessions"


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "expected_conversion_rate_user.csv").open(encoding="utf-8", newline="") as file:
        return {row["start_anchor"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def home(
    workshop: Workshop,
    folder: Path,
    answers: dict[str, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    seeds = business_files(tmp_path_factory.mktemp("business") / "seeds", sorted(answers))
    home = workshop.home("ecom", PER_USER, seeds)
    check_business_files(Settings(home=home.path, seeds=seeds))
    log = drop_log(home, folder)
    # every other event comes on the second night, so most visits are touched again
    halve(log)
    home.night()
    log.with_name("rest.part").rename(log.with_name("rest.csv"))
    home.night()
    home.quarter(VERSION_DATE)
    return home


def drop_log(home: Home, folder: Path) -> Path:
    """The log as the page says to land it."""
    home.landing("generic")
    with duckdb.connect() as connection:
        sql = documented_conversion().replace("$DATA", str(folder.parent))
        connection.execute(sql.replace("$INTENT_MAP_HOME", str(home.path)))
    return home.landing("generic") / "ecom.csv"


def halve(log: Path) -> None:
    header, *lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join([header, *lines[::2]]), encoding="utf-8")
    # a name that landing leaves alone
    log.with_name("rest.part").write_text("".join([header, *lines[1::2]]), encoding="utf-8")


def business_files(folder: Path, micro_conversions: Iterable[str]) -> Path:
    """The shipped business files, but with every event of the log as a micro-conversion."""
    shutil.copytree(PROJECT_ROOT / "seeds", folder, ignore=shutil.ignore_patterns("*.yml"))
    dictionary = folder / "event_dictionary.csv"
    header = dictionary.read_text(encoding="utf-8").splitlines()[0]
    names = [*micro_conversions, "purchase"]
    dictionary.write_text(
        "\n".join([header, *(f"any,{name},{name}" for name in names)]) + "\n", encoding="utf-8"
    )
    rules = folder / "micro_conversions.csv"
    header = rules.read_text(encoding="utf-8").splitlines()[0]
    rest = "1,session,once_per_session,process,intent,hard,0.5,ecommerce,true"
    rules.write_text(
        "\n".join([header, *(f"{name},{name},,,,{rest}" for name in names[:-1])]) + "\n",
        encoding="utf-8",
    )
    funnels = folder / "funnels.csv"
    header = funnels.read_text(encoding="utf-8").splitlines()[0]
    lines = [
        f"log,{step},{name},{WHOLE_LOG_HOURS},ecommerce" for step, name in enumerate(FUNNEL, 1)
    ]
    funnels.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder


def sessions_of(home: Home) -> Counter[tuple[Any, ...]]:
    rows = home.query("select visitor_id, started_at, ended_at, events from marts.mart_sessions")
    return Counter(tuple(row.values()) for row in rows)


def sessions_of_the_log(folder: Path) -> Counter[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return Counter(
            connection.execute(
                "select user_id, min(timestamp), max(timestamp), count(*) "
                f"from read_csv('{folder / 'ecom.csv.gz'}') group by user_id, session_id"
            ).fetchall()
        )


def test_the_thirty_minute_rule_gives_exactly_the_3605_sessions_of_the_log_in_two_loads(
    home: Home, folder: Path
) -> None:
    theirs = sessions_of_the_log(folder)
    assert theirs.total() == 3_605
    assert sessions_of(home) == theirs


@pytest.mark.deep
def test_the_log_in_one_load_and_in_five_in_any_order_has_the_same_sessions(
    workshop: Workshop, folder: Path
) -> None:
    theirs = sessions_of_the_log(folder)
    at_once = workshop.home("ecom_at_once")
    log = drop_log(at_once, folder)
    header, *lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    at_once.night()
    assert sessions_of(at_once) == theirs
    in_five = workshop.home("ecom_in_five")
    random.Random(5).shuffle(lines)
    for load in range(5):
        file = in_five.landing("generic") / f"load_{load}.csv"
        file.write_text("".join([header, *lines[load::5]]), encoding="utf-8")
        in_five.night()
    assert sessions_of(in_five) == theirs


def test_no_row_of_the_log_is_refused_and_all_470_purchases_count(home: Home) -> None:
    ours = counts(home)
    assert (ours["raw rows"], ours["accepted"], ours["macro-conversions"]) == (31_106, 31_106, 470)
    # the page counts the shipped micro-conversions, this home has others
    told = documented_counts("ecom_sessions")
    micros = {"micro-conversions", "product_viewed", "site_searched", "cart_filled"}
    assert micros < told.keys()
    assert {what: ours[what] for what in told.keys() - micros} == {
        what: told[what] for what in told.keys() - micros
    }


def test_probabilities_per_user_are_the_peers_for_all_18_micro_conversions(
    home: Home, answers: dict[str, dict[str, str]]
) -> None:
    rows = home.query(
        "select * from valuation.val_version_probabilities "
        "where intent_class = '(all)' and visitor_type = '(all)'"
    )
    ours = {row["micro_conversion"]: row for row in rows}
    assert len(answers) == 18
    assert ours.keys() == answers.keys()
    for name, answer in answers.items():
        row = ours[name]
        assert row["trials"] == int(answer["paths_with_start"]), name
        assert row["mature_trials"] == row["trials"], name
        assert row["conversions"] == int(answer["converted"]), name
        theirs = [float(answer[column]) for column in ("conversion_rate", "base_rate", "lift")]
        assert [
            row["raw_probability"],
            row["base_probability"],
            row["lift"],
        ] == pytest.approx(theirs, rel=1e-12), name


def test_the_ordered_funnel_per_user_is_the_peers_in_all_seven_steps(
    home: Home, folder: Path
) -> None:
    """They follow each user once, from the first first step; ours enter anew each day, so the
    first entry of each is read."""
    with (folder / "expected_funnel_user.csv").open(encoding="utf-8", newline="") as file:
        theirs = {row["step"]: int(row["unique_paths"]) for row in csv.DictReader(file)}
    rows = home.query(
        """
        select step_number, count(*) as users
        from intermediate.int_funnel_progress
        where funnel = 'log' and grain = 'user'
            and (user_key, date) in (
                select (user_key, min(date)) from intermediate.int_funnel_progress
                where funnel = 'log' and grain = 'user' group by user_key
            )
        group by step_number order by step_number
        """
    )
    assert theirs.keys() == set(FUNNEL)
    assert {FUNNEL[row["step_number"] - 1]: row["users"] for row in rows} == theirs


@dataclass(frozen=True)
class Window:
    """A way to count that the authors' own tools offer, and the vars that say it."""

    unit: str
    scope: str
    seconds: int | None

    @property
    def policy(self) -> dict[str, Any]:
        days = 365 if self.seconds is None else self.seconds / 86_400
        counting = {"trial_unit": self.unit, "conversion_scope": self.scope}
        return {**counting, "look_back_days": 1095, "horizon_days": days}


def counted(folder: Path, window: Window, channel: str | None = None) -> dict[str, tuple[int, int]]:
    """Event → paths with it, and how many of them purchased behind the first time; rows of one
    moment stand in the order of the file. channel: only paths of that acquisition channel."""
    paths: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    with gzip.open(folder / "ecom.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = row["session_id" if window.unit == "session" else "user_id"]
            if channel in (None, row["acquisition_channel"]):
                paths[path].append((datetime.fromisoformat(row["timestamp"]), row["event"]))
    totals: dict[str, tuple[int, int]] = {}
    for path in paths.values():
        path.sort(key=lambda event: event[0])
        for name in {event for _, event in path} - {"purchase"}:
            first = next(i for i, event in enumerate(path) if event[1] == name)
            later = [at for at, event in path[first + 1 :] if event == "purchase"]
            came = bool(later) and (
                window.seconds is None
                or (later[0] - path[first][0]).total_seconds() <= window.seconds
            )
            trials, successes = totals.get(name, (0, 0))
            totals[name] = trials + 1, successes + came
    return totals


@pytest.mark.deep
@pytest.mark.parametrize(
    "window",
    [
        Window("session", "session", None),
        Window("session", "session", 120),
        Window("user", "user", 7 * 86_400),
        Window("user", "user", 3_600),
    ],
    ids=str,
)
def test_sessions_and_windows_are_said_by_vars_alone(
    home: Home, workshop: Workshop, folder: Path, window: Window
) -> None:
    theirs = counted(folder, window)
    copy = home.copy(f"ecom_{window.unit}_{window.seconds}")
    settings = dataclasses.replace(copy.settings, dbt_vars=window.policy)
    other = dataclasses.replace(copy, settings=settings)
    # a version of its own, from the tables that stand there
    day = date(2025, 10, 1)
    args = dbt_runner.quarterly_args(settings, day, ["tag:quarterly"])
    other.build([*args, "--exclude-resource-type", "test"])
    rows = other.query(
        "select micro_conversion, trials, conversions from valuation.val_version_probabilities "
        "where valid_from = date '2025-10-01' and intent_class = '(all)'"
    )
    ours = {row["micro_conversion"]: (row["trials"], row["conversions"]) for row in rows}
    assert len(theirs) == 18
    assert ours == theirs


@pytest.fixture(scope="module")
def by_channel(
    workshop: Workshop,
    folder: Path,
    answers: dict[str, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    """The log with its channels as sources, and intent rules that name them."""
    seeds = business_files(tmp_path_factory.mktemp("channels") / "seeds", sorted(answers))
    rules = seeds / "intent_rules.csv"
    header = rules.read_text(encoding="utf-8").splitlines()[0]
    lines = [f"{10 * n},^{source}$,,,{CLASSES[source]}" for n, source in enumerate(CLASSES, 1)]
    rules.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    home = workshop.home("ecom_channels", PER_USER, seeds)
    check_business_files(Settings(home=home.path, seeds=seeds))
    log = drop_log(home, folder)
    text = log.read_text(encoding="utf-8")
    log.write_text(text.replace("channel_group", "source", 1), encoding="utf-8")
    home.night()
    home.quarter(VERSION_DATE)
    return home


@pytest.mark.deep
def test_segments_by_acquisition_channel_are_said_by_intent_rules(
    by_channel: Home, folder: Path
) -> None:
    rows = by_channel.query(
        "select intent_class, micro_conversion, trials, conversions, raw_probability, "
        "base_probability, lift from valuation.val_version_probabilities "
        "where intent_class <> '(all)' and visitor_type = '(all)'"
    )
    ours = {(row["intent_class"], row["micro_conversion"]): row for row in rows}
    with gzip.open(folder / "ecom.csv.gz", "rt", encoding="utf-8", newline="") as file:
        log = [*csv.DictReader(file)]
    seen = 0
    for channel, intent in CLASSES.items():
        of_channel = [row for row in log if row["acquisition_channel"] == channel]
        buyers = {row["user_id"] for row in of_channel if row["event"] == "purchase"}
        base = len(buyers) / len({row["user_id"] for row in of_channel})
        for name, (trials, conversions) in counted(
            folder, Window("user", "user", None), channel
        ).items():
            row = ours[intent, name]
            seen += 1
            assert (row["trials"], row["conversions"]) == (trials, conversions), (channel, name)
            assert [
                row["raw_probability"],
                row["base_probability"],
                row["lift"],
            ] == pytest.approx(
                [conversions / trials, base, conversions / trials / base], rel=1e-12
            ), (channel, name)
    assert seen == len(ours) > 80
