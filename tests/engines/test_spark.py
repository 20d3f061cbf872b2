"""The marts of both engines, row by row, from the same raw tables.

Belongs here: a simulated shop with rows of all four sources, under policies other than the
defaults, built by DuckDB and by Spark: a night, a value version, a second night, the next
version and a restatement of the first, a last night; on Spark the nights that bring rows are killed
before they are run as a whole. Does not belong here: whether the numbers are right,
which the other tests ask of DuckDB. Needs dbt-spark, pyspark and Java (`make test-spark`).
"""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline.homes import Home, Workshop

from orchestration.restatement import Restatement
from orchestration.settings import PROJECT_ROOT
from orchestration.simulation import simulate

MISSING = [
    name for name in ("pyspark", "dbt.adapters.spark") if importlib.util.find_spec(name) is None
]
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    MISSING.append("Java")
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not there; `make test-spark` installs the packages"
)

LAST_DAY, VERSION_DATE, NEXT_VERSION_DATE = date(2026, 3, 8), date(2026, 1, 1), date(2026, 4, 1)
RESTATEMENT = Restatement(1, "rows that came late")
SECOND_NIGHT_FROM = "20260220"
# where engines could differ and the defaults would not show it
SETTING = {
    "reporting_time_zone": "Asia/Kolkata",
    "session_cut_at_campaign": True,
    "direct_source_look_back_days": 30,
    "ai_assistant_channel": True,
    "attribution_look_back_days": 14,
    "attribution_half_life_days": 3.5,
    "horizon_days": 7.25,
}
# kept by dbt itself, on each engine
OWN_NOTES = ("watermarks", "session_changes", "changes_seen", "tested")
ON_SPARK = Path(__file__).parent / "on_spark.py"
# of the time when it was written
CLOCKS = {"mart_value_history": ("known_from", "known_to")}
Row = tuple[Any, ...]


def visits(words: dict[str, str], first: datetime, count: int) -> list[dict[str, Any]]:
    """A few visits in the words of one source: pages, an order, and the same row twice."""
    rows = []
    for number in range(count):
        at = first + timedelta(hours=31 * number, microseconds=1234 * number)
        visitor = f"{words['of']}{number % 7}"
        base = {words["visitor"]: visitor, words["user"]: f"u{number % 5}" if number % 3 else None}
        query = f"utm_source=n+{number}&utm_term=%FC&gclid=G{number}&x=ü"
        page = f"https://shop.example/p{number}?{query}" if number % 2 else None
        names = [words["page"], words["page"], *([words["order"]] if number % 4 == 0 else [])]
        for place, name in enumerate(names):
            row = base | {
                words["id"]: f"{words['of']}-{number}-{place}",
                words["time"]: str(at + timedelta(seconds=90 * place)),
                words["name"]: name,
                words["url"]: page,
            }
            if name == words["order"]:
                row |= {words["money"]: f"{20 + number / 3:.2f}", words["order_id"]: f"O{number}"}
            rows += [row] * (2 if place == 1 and number % 5 == 0 else 1)
    return rows


SEGMENT = {
    **{"of": "s", "visitor": "anonymous_id", "user": "user_id", "id": "id", "time": "timestamp"},
    **{"name": "event", "page": "product_viewed", "order": "order_completed"},
    **{"url": "context_page_url", "money": "revenue", "order_id": "order_id"},
}
GENERIC = {
    **{"of": "g", "visitor": "visitor_id", "user": "user_id", "id": "event_id"},
    **{"time": "occurred_at", "name": "event_name", "page": "view_item", "order": "purchase"},
    **{"url": "page_url", "money": "value", "order_id": "order_id"},
}
SNOWPLOW = {
    **{"of": "p", "visitor": "domain_userid", "user": "user_id", "id": "event_id"},
    **{"time": "collector_tstamp", "name": "event", "page": "page_view", "order": "transaction"},
    **{"url": "page_url", "money": "tr_total", "order_id": "tr_orderid"},
}


def exported(home: Home, folder: Path) -> Path:
    """The raw tables of a home as Parquet, without what dbt notes there itself."""
    folder.mkdir()
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'raw'"
        ).fetchall()
        for (name,) in names:
            if name not in (*OWN_NOTES, "build_state"):
                connection.execute(f"copy raw.{name} to '{folder / name}.parquet'")
    return folder


def compared(name: str, ours: list[Row], theirs: list[Row], types: list[str]) -> list[str]:
    """What differs between a table's rows: floating-point numbers beyond 1e-9, all else at all."""
    floats = [place for place, of in enumerate(types) if of in ("DOUBLE", "FLOAT")]
    exact = [place for place in range(len(types)) if place not in floats]

    def said(row: Row) -> Row:
        return tuple(row[place] for place in exact)

    def order(row: Row) -> list[str]:
        near = [f"{row[place]:.6e}" if row[place] is not None else "" for place in floats]
        return [*(repr(cell) for cell in said(row)), *near]

    here, there = Counter(map(said, ours)), Counter(map(said, theirs))
    if here != there:
        return [
            f"{name}: {len(ours)} rows here, {len(theirs)} on Spark",
            *(f"  only here     {row}" for row in list((here - there).elements())[:3]),
            *(f"  only on Spark {row}" for row in list((there - here).elements())[:3]),
        ]
    pairs = zip(sorted(ours, key=order), sorted(theirs, key=order), strict=True)
    return [
        f"{name}: {one[place]} here, {other[place]} on Spark, in {said(one)}"
        for one, other in pairs
        for place in floats
        if one[place] != other[place]
        and (
            None in (one[place], other[place])
            or not math.isclose(one[place], other[place], rel_tol=1e-9, abs_tol=1e-12)
        )
    ][:3]


def version_written(valid_from: date, besides: dict[str, Any] | None = None) -> list[str]:
    """dbt's argument for writing a version. Of two --vars dbt takes the last."""
    said = {**SETTING, "version_date": valid_from.isoformat(), **(besides or {})}
    return ["--vars", json.dumps(said)]


@pytest.fixture(scope="module")
def engines(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path]:
    """The home after all nights and quarters, and the folder with what Spark made of its rows."""
    folder = tmp_path_factory.mktemp("spark")
    simulate(
        folder / "shop",
        end_date=LAST_DAY,
        visitors=500,
        days=120,
        truth_visitors=0,
        ga4_share=0.5,
        report=lambda _: None,
    )
    home = workshop.home("engines", SETTING)
    files = sorted(path for path in (folder / "shop" / "landing").rglob("*") if path.is_file())
    later = [path for path in files if path.name.split(".")[0].split("_")[-1] >= SECOND_NIGHT_FROM]
    landing = folder / "shop" / "landing"

    def bring(paths: list[Path]) -> None:
        for path in paths:
            target = home.path / "landing" / path.relative_to(landing)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    begin, late = datetime(2025, 12, 1, 9), datetime(2026, 2, 25, 9)
    bring([path for path in files if path not in later])
    home.drop("segment", "tracks_1", visits(SEGMENT, begin, 40))
    # at other moments: of two visits of one person that begin together, the internal key decides
    aside = timedelta(hours=5, minutes=17)
    home.drop("snowplow", "events_1", visits(SNOWPLOW, begin + aside, 40))
    home.drop("generic", "tagged", visits(GENERIC, begin + 2 * aside, 20))
    home.night()
    nights = [exported(home, folder / "first")]
    home.quarter(VERSION_DATE)
    bring(later)
    home.drop("segment", "tracks_2", visits(SEGMENT, late, 9))
    # more of visits that are there
    further = visits(SEGMENT, begin + timedelta(minutes=10), 12)
    home.drop("segment", "tracks_3", [row | {"id": f"further-{row['id']}"} for row in further])
    home.drop("snowplow", "events_2", visits(SNOWPLOW, late - timedelta(days=40) + aside, 20))
    home.night()
    nights.append(exported(home, folder / "second"))
    home.quarter(NEXT_VERSION_DATE)
    home.quarter(VERSION_DATE, restatement=RESTATEMENT)
    home.night()

    (folder / "spark").mkdir()
    asked = {
        "nights": [str(night) for night in nights],
        "quarter": version_written(VERSION_DATE),
        "later_quarters": [
            version_written(NEXT_VERSION_DATE),
            version_written(VERSION_DATE, RESTATEMENT.as_vars()),
        ],
        "by_source": ["--vars", json.dumps({**SETTING, "session_id_source": "source"})],
        "common": [
            *("--vars", json.dumps(SETTING)),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        "written": str(folder / "written"),
    }
    done = subprocess.run(
        [sys.executable, str(ON_SPARK), json.dumps(asked)],
        cwd=folder / "spark",
        env={
            **os.environ,
            # read when Java starts, before any setting of the session
            "PYSPARK_SUBMIT_ARGS": "--driver-memory 3g pyspark-shell",
            "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), *sys.path]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return home, folder / "written"


def test_every_mart_is_the_same_row_by_row(engines: tuple[Home, Path]) -> None:
    home, written = engines
    names = home.names(["marts"])
    assert names == [f"marts.{path.stem}" for path in sorted((written / "marts").iterdir())]
    said, empty = [], []
    with duckdb.connect(str(home.path / "warehouse" / "intent_map.duckdb")) as connection:
        connection.execute("set timezone = 'UTC'")
        for name in names:
            table = name.removeprefix("marts.")
            described = connection.execute(f"describe {name}").fetchall()
            columns = [row for row in described if row[0] not in CLOCKS.get(table, ())]
            read = ", ".join(f'cast("{column[0]}" as {column[1]})' for column in columns)
            there = f"read_parquet('{written}/marts/{table}.parquet/*.parquet')"
            ours = connection.execute(f"select {read} from {name}").fetchall()
            theirs = connection.execute(f"select {read} from {there}").fetchall()
            said += compared(name, ours, theirs, [column[1] for column in columns])
            empty += [] if ours else [table]
    assert not said, "\n".join(said)
    assert not empty, "marts without rows compare nothing"


def test_a_difference_is_seen() -> None:
    types = ["VARCHAR", "DECIMAL(18,4)", "DOUBLE"]
    rows = [("a", 1, 0.5), ("b", 2, None)]
    assert compared("t", rows, rows[::-1], types) == []
    assert compared("t", rows, [("a", 1, 0.5 + 1e-12), rows[1]], types) == []
    for other in (("a", 2, 0.5), ("c", 1, 0.5), ("a", 1, 0.5001), ("a", 1, None)):
        assert compared("t", rows, [other, rows[1]], types)
    assert compared("t", rows, rows[:1], types)
