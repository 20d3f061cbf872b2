"""Erasure: taking people out of everything that a home holds.

Belongs here: the order of the steps, and the receipt. ids.py reads who is asked for, people.py
finds whom that means, files.py rewrites files, history.py Dagster's database where it is elsewhere;
rows leave raw by orchestration/removal.py, and orchestration/compaction.py leaves no byte of them.
Does not belong here: rows that are old rather than somebody's (retention.py).

The order makes it safe to kill. Who belongs to an id is told by raw and what was built from it, so
these go last of all that is searched by id; what comes after needs no ids: models, publishing,
packing. The same file again goes on where a killed run stopped, and a night in between builds
everything anew from what raw then holds.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_runner, fingerprint, removal
from orchestration.compaction import compact_warehouse
from orchestration.dashboard import write_dashboard
from orchestration.disk import to_disk
from orchestration.erasure.files import Erased, erase_from_landing, erase_from_traces
from orchestration.erasure.history import erase_from_history
from orchestration.erasure.ids import SHORTEST_IN_TEXT, Ids, Mentions, read_ids
from orchestration.erasure.people import (
    RECEIPTS,
    SESSIONS,
    People,
    are_in_tables,
    find_people,
    may_mention,
)
from orchestration.errors import IntentMapError, first_line
from orchestration.landing import RAW_TABLE, land
from orchestration.landing.warehouse import Warehouse
from orchestration.locking import writer_lock
from orchestration.publishing import publish
from orchestration.publishing.places import PARQUET_LINK, PARQUET_VERSIONS
from orchestration.retention import retired_rows, say_what_counts_no_more
from orchestration.settings import Settings
from orchestration.sources import EVENT_SOURCES
from orchestration.sql_text import quoted

FOLDER = "erasures"
UNFINISHED = "unfinished.json"


@dataclass(frozen=True)
class Receipt:
    """What an erasure did, without saying whom it erased. raw_rows, file_rows: by place.

    not_searched_in_text: ids too short to be told from other words inside a text.
    """

    begun_at: str
    ended_at: str
    ids_given: int
    visitors: int
    users: int
    other_users_met: int
    raw_rows: dict[str, int]
    file_rows: dict[str, int]
    files_removed: list[str]
    files_left: list[str]
    tables_emptied: int
    not_searched_in_text: int
    warehouse_bytes_before: int
    warehouse_bytes: int


def erase_users(
    settings: Settings, ids_file: Path, report: Callable[[str], None] = print
) -> Receipt:
    """Erase the people that the file names; returns the receipt, which also stays in the home.

    Raises IntentMapError when the file names nobody, lies in the home or has a path that mentions
    somebody, when an attached table holds rows of theirs, when rows are retired and rules changed,
    when tables are still those of another release, or when a step fails; the same command again
    then goes on.
    """
    given = read_ids(ids_file)
    if Mentions(given.all).mentioned_in(str(ids_file)):
        raise IntentMapError(
            "The path of the file mentions an id that is in it, and paths stay in logs and in "
            "Dagster's list of runs. Rename the file and give its new path."
        )
    if ids_file.resolve().is_relative_to(settings.home.resolve()):
        raise IntentMapError(
            f"The file {ids_file} lies in the home, where these ids are taken out of every file: "
            "killed half-way, the same command would find nobody in it. Move it elsewhere."
        )
    with writer_lock(settings, "erasure", report=report):
        begun_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        unfinished = settings.home / FOLDER / UNFINISHED
        was_unfinished = unfinished.exists()
        # what still waits would bring them back with the next night
        land(settings, report=report)
        _refuse_under_other_rules(settings)
        erased, emptied = Erased(), 0
        warehouse = Warehouse(settings, report)
        try:
            warehouse.open()
            people = _found(warehouse, given)
            _write(unfinished, {"begun_at": begun_at.isoformat()})
            erase_from_landing(warehouse, people, erased)
            # the log of a night shows rows of the orders table
            in_logs = Mentions(people.ids.all | people.orders)
            erase_from_traces(settings, in_logs, erased)
            erase_from_history(in_logs, erased)
            raw_rows = removal.counted(warehouse.con)
            _say_whom(people, raw_rows, report)
            has_tables = _has_tables(warehouse.con)
            # raw has no row of whom the owner of an attached table, or retention, took out before
            are_held = bool(raw_rows) or are_in_tables(warehouse.con)
            if are_held:
                with removal.removal(warehouse, removal.ERASED, begun_at):
                    emptied = _empty_what_the_night_does_not_build(settings, warehouse.con)
                    mentions = Mentions(people.ids.all)
                    stays = _erase_from_readers(settings, warehouse.con, mentions)
                    # what is not built anew follows the rules that it followed before
                    removal.forget_rules(warehouse.con, but=stays)
                    _clean_reasons(warehouse.con, mentions)
        except duckdb.Error as error:
            raise IntentMapError(
                f"The warehouse {settings.warehouse} failed: {first_line(error)} Run the "
                "same command again; it goes on from here."
            ) from error
        finally:
            warehouse.close()
        if has_tables and (are_held or was_unfinished):
            _build(settings, report)
        if settings.serving.is_dir() and (are_held or was_unfinished):
            publish(settings, f"erasure-{begun_at:%Y%m%dT%H%M%SZ}", report, whole=True)
            _remove_earlier_parquet(settings)
            # what the page says of a campaign may have been of them alone
            write_dashboard(settings, report)
        shutil.rmtree(settings.warehouse.parent / "spill", ignore_errors=True)
        before, after = compact_warehouse(settings)
        receipt = Receipt(
            begun_at=begun_at.isoformat(),
            ended_at=datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat(),
            ids_given=len(given.all),
            visitors=len(people.ids.visitors),
            users=len(people.ids.users),
            other_users_met=people.others,
            raw_rows=raw_rows,
            file_rows=erased.rows,
            files_removed=erased.removed,
            files_left=[f"{name}: {reason}" for name, reason in erased.left],
            tables_emptied=emptied,
            not_searched_in_text=sum(len(name) < SHORTEST_IN_TEXT for name in people.ids.all),
            warehouse_bytes_before=before,
            warehouse_bytes=after,
        )
        path = settings.home / FOLDER / f"{begun_at:%Y%m%dT%H%M%SZ}.json"
        _write(path, asdict(receipt))
        unfinished.unlink(missing_ok=True)
        _say_what_came_of_it(receipt, path, ids_file, report)
        return receipt


def _found(warehouse: Warehouse, given: Ids) -> People:
    try:
        return find_people(warehouse, given)
    except duckdb.BinderException as error:
        raise IntentMapError(
            f"The tables of {warehouse.settings.warehouse} are those of another release, which "
            "cannot be asked for people here. Run `intent-map nightly`, which makes them anew, "
            "then this again with the same file. Nothing was changed but landing what waited."
        ) from error


def _refuse_under_other_rules(settings: Settings) -> None:
    """What came of retired rows follows the rules of its time, such as which bit of a number says
    which micro-conversion: tables built on it under other rules would hold wrong numbers."""
    if not settings.warehouse.exists():
        return
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows = retired_rows(con)
    if not rows:
        return
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    manifest = dbt_runner.load_manifest(settings)
    readers = [name for _, name in _readers_of_raw(manifest)]
    rules = fingerprint.current(settings, manifest)
    if changed := fingerprint.changed_parts(settings, rules, readers):
        raise IntentMapError(
            f"Since the tables were built {fingerprint.listed(changed)} changed, and {rows:,} rows "
            "that were retired cannot be judged anew: what an erasure builds on what came of them "
            "would have wrong numbers. Put the rules back as they were, or give these days up "
            "(`intent-map retention --give-up`), then run this again with the same file. Nothing "
            "was changed but landing what waited."
        )


def _say_whom(people: People, raw_rows: dict[str, int], report: Callable[[str], None]) -> None:
    listed = ", ".join(f"{rows:,} of {source}" for source, rows in raw_rows.items())
    report(
        f"{len(people.ids.visitors):,} visitor ids and {len(people.ids.users):,} user ids; "
        f"raw rows: {listed or 'none'}."
    )
    if people.others:
        report(
            f"{people.others:,} other logins were seen on these visitors. Their rows there go too, "
            "since the rows of a shared browser cannot be told apart; the rest of theirs stays."
        )


def _has_tables(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(
        con.execute(
            "select 1 from duckdb_tables() where database_name = current_database() "
            "and schema_name = 'intermediate' limit 1"
        ).fetchall()
    )


def _empty_what_the_night_does_not_build(settings: Settings, con: duckdb.DuckDBPyConnection) -> int:
    """Empty the working tables of the quarterly clock, which its next run fills again, and drop
    tables of no model any more; returns how many. Kept versions hold no person and stay."""
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = current_database() and schema_name <> 'raw'"
    ).fetchall()
    if not tables:
        return 0
    dbt_runner.prepare_manifest(settings, report=lambda _: None)
    nodes = {
        (node["schema"], node.get("alias") or node["name"]): node
        for node in dbt_runner.load_manifest(settings)["nodes"].values()
        if node["resource_type"] in ("model", "seed", "snapshot")
    }
    emptied = 0
    for schema, table in tables:
        node = nodes.get((schema, table))
        name = f"{quoted(schema)}.{quoted(table)}"
        if node is None:
            # left by a killed run, or by an earlier release
            con.execute(f"drop table {name}")
        elif dbt_runner.is_quarterly(node) and not node["config"]["meta"].get("is_kept"):
            con.execute(f"delete from {name}")
        else:
            continue
        emptied += 1
    return emptied


def _clean_reasons(con: duckdb.DuckDBPyConnection, mentions: Mentions) -> None:
    """A file's reason for being set aside may quote its first row."""
    for load_id, reason in con.execute(
        "select load_id, reason from raw.loads where reason is not null"
    ).fetchall():
        if mentions.mentioned_in(reason):
            con.execute(
                "update raw.loads set reason = ? where load_id = ?",
                [mentions.taken_out_of(reason), load_id],
            )


def _readers_of_raw(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Schema and name of the models that read raw bit by bit: when rows are retired, only they hold
    what cannot be built again."""
    project = manifest["metadata"]["project_name"]
    children = manifest["child_map"][f"model.{project}.int_staged_events"]
    nodes = [manifest["nodes"][name] for name in children if name in manifest["nodes"]]
    bit_by_bit = fingerprint.incremental_models(manifest)
    return sorted((node["schema"], node["name"]) for node in nodes if node["name"] in bit_by_bit)


def _erase_from_readers(
    settings: Settings, con: duckdb.DuckDBPyConnection, mentions: Mentions
) -> list[str]:
    """Where rows are retired, take the people out of what cannot be built anew; returns the names
    of these models."""
    if not retired_rows(con):
        return []
    con.execute(
        "create or replace temp table erased_receipts as "
        "select source_system, load_id, row_number, outcome, event_key, visitor_key "
        f"from {RECEIPTS} as held where visitor_key in (select visitor_key from {SESSIONS} "
        "where trim(visitor_id) in (from erased_visitors)) "
        "or trim(user_id) in (from erased_users) "
        f"or exists (from {removal.REMOVED} as gone where gone.source = held.source_system "
        "and gone.load_id = held.load_id and gone.row_number = held.row_number)"
    )
    in_raw = " union all ".join(
        f"select '{source}' as source, load_id, row_number from raw.{quoted(RAW_TABLE[source])}"
        for source in EVENT_SOURCES
    )
    # a copy names nobody any more, but has the key of the row that counted; one that raw still has
    # is another person's, under the same event id, and every row of raw has an outcome
    con.execute(
        "insert into erased_receipts "
        "select source_system, load_id, row_number, outcome, event_key, visitor_key "
        f"from {RECEIPTS} as held where outcome = 'duplicate' and event_key in "
        "(select event_key from erased_receipts where outcome = 'accepted') "
        f"and not exists (from ({in_raw}) as stays where stays.source = held.source_system "
        "and stays.load_id = held.load_id and stays.row_number = held.row_number)"
    )
    manifest = dbt_runner.load_manifest(settings)
    readers = _readers_of_raw(manifest)
    for schema, name in readers:
        table = f"{quoted(schema)}.{quoted(name)}"
        if table.replace('"', "") == RECEIPTS:
            con.execute(
                f"delete from {table} as held using erased_receipts as gone "
                "where held.source_system = gone.source_system and held.load_id = gone.load_id "
                "and held.row_number = gone.row_number"
            )
            continue
        # of a person all rows of a visitor go
        columns = con.sql(f"from {table}").columns
        keys = [key for key in ("event_key", "visitor_key") if key in columns]
        for key in keys:
            con.execute(
                f"delete from {table} where {key} in (select {key} from erased_receipts "
                "where outcome = 'accepted')"
            )
        if not keys:
            _erase_texts(con, table, mentions)
    names = [name for _, name in readers]
    # they note no change that tests could go by, so all of them is tested
    con.execute("delete from raw.tested where list_contains(?::varchar[], model)", [names])
    return names


def _erase_texts(con: duckdb.DuckDBPyConnection, table: str, mentions: Mentions) -> None:
    """Of a table of texts, such as user agents, whose apps write a device's id into them, take out
    the rows that mention an id."""
    if mentions.looks_for_nothing:
        return
    found = con.execute(
        f"select rowid, text from (select rowid, cast(to_json(held) as varchar) as text "
        f"from {table} as held) where {may_mention('text')}",
        mentions.first_look,
    ).fetchall()
    rows = [row for row, text in found if mentions.mentioned_in(text)]
    con.execute(f"delete from {table} where list_contains(?::bigint[], rowid)", [rows])


def _build(settings: Settings, report: Callable[[str], None]) -> None:
    """Build all nightly models anew, with their tests; where rows are retired, all but those whose
    rows cannot be had again."""
    report("Building all tables anew without these people ...")
    dbt_runner.prepare_manifest(settings, report=report)
    manifest = dbt_runner.load_manifest(settings)
    rules = fingerprint.current(settings, manifest)
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        leave = [name for _, name in _readers_of_raw(manifest)] if retired_rows(con) else []
    if not leave:
        say_what_counts_no_more(settings, report)
    args = dbt_runner.nightly_args(settings, full_refresh=True, leave=leave)
    for _ in dbt_runner.run_dbt(settings, args, report=report):
        pass
    built = {node["name"] for node in manifest["nodes"].values()} - {*leave}
    fingerprint.remember(settings, rules, manifest, built)


def _remove_earlier_parquet(settings: Settings) -> None:
    """Publishing keeps the copies before the newest for those who are reading them."""
    newest = (settings.serving / PARQUET_LINK).resolve()
    for folder in (settings.serving / PARQUET_VERSIONS).iterdir():
        if folder.resolve() != newest:
            shutil.rmtree(folder)


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    to_disk(part)
    part.replace(path)
    to_disk(path.parent)


def _say_what_came_of_it(
    receipt: Receipt, path: Path, ids_file: Path, report: Callable[[str], None]
) -> None:
    for name in receipt.files_removed:
        report(f"Removed as a whole: {name}; it lay set aside and its rows could not be told.")
    for name in receipt.files_left:
        report(f"NOT searched, see to it yourself: {name}.")
    if receipt.not_searched_in_text:
        report(
            f"{receipt.not_searched_in_text:,} ids are shorter than {SHORTEST_IN_TEXT} letters: "
            "they were erased where they stand as an id, and not looked for inside texts."
        )
    report(
        f"Erased. The receipt, without the ids: {path}. Yours to see to: {ids_file}, backups made "
        "before, what the sources still hold and may send again."
    )
