"""After raw rows are retired, nights go on as if they were there, and nothing old is lost."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pipeline.homes import Home, Workshop, differences
from pipeline.promise_checks import Done

from orchestration import dbt_runner, fingerprint
from orchestration.dbt_runner import DbtError
from orchestration.erasure import erase_users
from orchestration.errors import IntentMapError
from orchestration.retention import apply_retention, refuse_to_build_anew

OLD_DAYS = 400
LIMITS = {"raw_retention_days": 365, "refused_retention_days": 365}
# what reads raw in place shows fewer rows, and is read by no table
READ_IN_PLACE = ("int_staged_events", "int_events", "int_events_rejected")
# whose browser a description was met on is not known any more once the row is gone
COUNTED = ("int_event_receipts", "int_event_counts", "mart_event_audit")
AGENTS = ("int_agents_met", "int_user_agents")
ERASED = [f"h{number:05d}:{name}" for number in range(10) for name in "abcuv"]


def limited(home: Home) -> Home:
    settings = replace(home.settings, dbt_vars=home.settings.dbt_vars | LIMITS)
    return Home(home.path, settings)


def age(home: Home, until_load: int) -> None:
    """Let the first loads have landed more than a year ago."""
    warehouse = home.path / "warehouse" / "intent_map.duckdb"
    with duckdb.connect(str(warehouse)) as con:
        con.execute(
            f"update raw.loads set landed_at = landed_at - interval {OLD_DAYS} day "
            "where load_id <= ?",
            [until_load],
        )


def tables_differ(one: Home, other: Home, but: Iterable[str] = ()) -> str:
    def held(home: Home) -> list[str]:
        names = home.names(["intermediate", "valuation", "marts"])
        return [name for name in names if name.split(".")[1] not in (*READ_IN_PLACE, *AGENTS, *but)]

    assert held(one) == held(other)
    prints, others = one.fingerprints(), other.fingerprints()
    unequal = [name for name in held(one) if prints[name] != others[name]]
    return "\n".join(differences(one.rows(unequal), other.rows(unequal)))


def write(path: Path, ids: Iterable[str]) -> Path:
    path.write_text("\n".join(ids), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def homes(promise: Done) -> tuple[Home, Home]:
    """The same home twice, once with its first loads retired, and for both a night to come."""
    whole = promise.nights.copy("not_retired")
    loads = [
        row["load_id"]
        for row in whole.query(
            "select load_id from raw.loads where source in ('generic', 'ga4') and row_count > 0 "
            "order by 1"
        )
    ]
    age(whole, loads[len(loads) // 2])
    # late, of a visitor whose rows are retired, and of one that is new
    whole.drop("generic", "late", [
        {"visitor_id": "h00012:a", "occurred_at": "2025-05-05 10:00:30", "event_name": "scroll",
         "event_id": "late"},
        {"visitor_id": "fresh", "occurred_at": "2025-05-05 10:00:30", "event_name": "scroll"},
    ])  # fmt: skip
    whole.land()
    retired = limited(whole.copy("retired"))
    retired.take_up()
    apply_retention(retired.settings, report=lambda _: None)
    return whole, retired


@pytest.mark.deep
def test_nights_go_on_alike_with_and_without_the_old_rows(homes: tuple[Home, Home]) -> None:
    whole, retired = homes
    events = "select count(*) as n from raw.generic_events"
    assert 0 < retired.query(events)[0]["n"] < whole.query(events)[0]["n"]
    assert tables_differ(whole, retired) == ""
    for home in homes:
        home.night(data_tests=home is retired)
    assert tables_differ(whole, retired) == ""


@pytest.mark.deep
def test_what_would_lose_them_is_refused(homes: tuple[Home, Home]) -> None:
    _, retired = homes
    retired.take_up()
    with pytest.raises(IntentMapError, match=r"rows landed up to .* were retired"):
        refuse_to_build_anew(retired.settings, "Rules changed.")
    before = retired.fingerprints()
    with pytest.raises(DbtError, match="raw rows are retired"):
        retired.night(full_refresh=True)
    assert retired.fingerprints() == before


@pytest.mark.deep
def test_an_erasure_leaves_the_same_tables_with_and_without_the_old_rows(
    homes: tuple[Home, Home], tmp_path: Path
) -> None:
    ids = write(tmp_path / "ids", ERASED)
    for home in homes:
        home.take_up()
        dbt_runner.prepare_manifest(home.settings, report=lambda _: None)
        manifest = dbt_runner.load_manifest(home.settings)
        rules = fingerprint.current(home.settings, manifest)
        names = {node["name"] for node in manifest["nodes"].values()}
        fingerprint.remember(home.settings, rules, manifest, names)
        erase_users(home.settings, ids, report=lambda _: None)
        # nights go on after it: nothing is to be built anew
        of_nights = fingerprint.incremental_models(manifest)
        assert fingerprint.changed_parts(home.settings, rules, of_nights) == []
    whole, retired = homes
    named = "select count(*) as n from marts.mart_sessions where visitor_id like 'h00003%'"
    assert whole.query(named) == retired.query(named) == [{"n": 0}]
    assert tables_differ(whole, retired, but=COUNTED) == ""
    # a refused row that is retired names nobody, so its receipt and its count stay
    for table in COUNTED[:2]:
        judged = f"select * from intermediate.{table} where outcome <> 'refused' order by all"
        assert whole.query(judged) == retired.query(judged)


def test_where_rows_are_retired_no_model_that_keeps_what_they_said_is_built_anew(
    workshop: Workshop,
) -> None:
    home = workshop.home("nothing_but_retired")
    home.night(select=["+int_all_sessions", "+int_event_counts"])
    with duckdb.connect(str(home.settings.warehouse)) as con:
        con.execute(
            "insert into raw.removals values ('generic', 1, 1, 'retired', now()::timestamp)"
        )
    # the sessions too take what they show from raw
    for model in ("int_event_receipts", "int_all_sessions"):
        with pytest.raises(DbtError, match="raw rows are retired"):
            home.night(full_refresh=True, select=[model])
    home.night(full_refresh=True, select=["int_event_counts"])
