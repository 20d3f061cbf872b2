"""From the warehouse to what people read: the serving file, Parquet copies, the manifest.

Belongs here: copying every mart to new files beside the served ones, checking them, and replacing
each in one step. Does not belong here: what a mart contains (dbt_project/models/marts), who may
start a run.

Readers never wait and never see half a publish: they keep what they have open and find the new
state when they open again. The serving file is one file, replaced by rename. The Parquet copies of
one publish stand in one folder; `parquet` is a link to the newest, replaced by rename as well. The
folder before it stays for those who are still reading, older ones go. The manifest comes last.

No personal id leaves the warehouse: in columns named PERSONAL_IDS stands a hash made with the key
of INTENT_MAP_HASH_KEY, or nothing when there is no key.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.disk import checksum_of, has_no_room, to_disk
from orchestration.errors import IntentMapError
from orchestration.locking import writer_lock
from orchestration.settings import Settings

SCHEMA = "marts"
PUBLICATION = "publication"
PERSONAL_IDS = ("visitor_id", "user_key", "user_id")

# the oldest storage that DuckDB still writes: clients from 1.1 on read it
STORAGE_VERSION = "v1.0.0"

SERVING_FILE = "intent_map.duckdb"
PARQUET_LINK = "parquet"
PARQUET_VERSIONS = "parquet_versions"
MANIFEST_FILE = "manifest.json"
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class PublishedTable:
    """One mart as published. checksum: over all rows, in any order, as DuckDB hashes them."""

    name: str
    rows: int
    checksum: str
    parquet_bytes: int
    parquet_sha256: str


@dataclass(frozen=True)
class Manifest:
    """One publish: which run, when (UTC), what. path: the manifest file itself."""

    path: Path
    run_id: str
    published_at: str
    duckdb_version: str
    personal_ids: str
    serving_bytes: int
    serving_sha256: str
    tables: tuple[PublishedTable, ...]


def publish(settings: Settings, run_id: str, report: Callable[[str], None] = print) -> Manifest:
    """Publish all marts of the warehouse; returns what was published.

    Raises IntentMapError when there is nothing to publish or a file cannot be written; the served
    files are then as they were.
    """
    with writer_lock(settings, "publishing", report=report):
        if not settings.warehouse.exists():
            raise IntentMapError(
                f"There is nothing to publish: {settings.warehouse} is not there. "
                "Run the nightly job first."
            )
        try:
            settings.serving.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(settings.serving)
            return _publish(settings, run_id, report)
        except (OSError, duckdb.Error) as error:
            reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
            reason = reason.rstrip(". ")
            if named := getattr(error, "filename", None):
                reason = f"{named}: {reason}"
            if has_no_room(settings.home):
                reason += " (the disk is full)"
            raise IntentMapError(
                f"Publishing to {settings.serving} stopped: {reason}. What is served "
                "there is unchanged. See that this user may write there and that the disk has "
                "room for a second copy of the marts, then publish again."
            ) from error
        except RuntimeError as error:
            if "Query interrupted" in str(error):
                # DuckDB swallows the signal and raises this in its stead
                raise KeyboardInterrupt from error
            raise
        finally:
            with contextlib.suppress(OSError):
                _remove_leftovers(settings.serving)


def _publish(settings: Settings, run_id: str, report: Callable[[str], None]) -> Manifest:
    serving = settings.serving
    published_at = datetime.now(UTC).replace(microsecond=0)
    new_file = serving / (SERVING_FILE + UNFINISHED)
    new_folder = serving / PARQUET_VERSIONS / (_version_name(published_at, run_id) + UNFINISHED)
    new_folder.mkdir(parents=True)

    if settings.hash_key is None:
        report(
            "No INTENT_MAP_HASH_KEY is set: the published tables carry no visitor or user ids "
            f"(columns {', '.join(PERSONAL_IDS)} are empty)."
        )
    counts = _copy(settings, run_id, published_at, new_file, new_folder)
    _check(new_file, new_folder, counts)

    manifest = Manifest(
        path=serving / MANIFEST_FILE,
        run_id=run_id,
        published_at=published_at.isoformat(),
        duckdb_version=duckdb.__version__,
        personal_ids="left out" if settings.hash_key is None else "keyed hashes",
        serving_bytes=new_file.stat().st_size,
        serving_sha256=checksum_of(new_file),
        tables=tuple(
            PublishedTable(
                name=name,
                rows=rows,
                checksum=checksum,
                parquet_bytes=(new_folder / f"{name}.parquet").stat().st_size,
                parquet_sha256=checksum_of(new_folder / f"{name}.parquet"),
            )
            for name, (rows, checksum) in counts.items()
        ),
    )
    new_manifest = serving / (MANIFEST_FILE + UNFINISHED)
    new_manifest.write_text(_as_json(manifest), encoding="utf-8")

    for path in (new_file, new_manifest, *new_folder.iterdir(), new_folder):
        to_disk(path)

    new_file.replace(serving / SERVING_FILE)
    _replace_parquet(serving, new_folder)
    new_manifest.replace(serving / MANIFEST_FILE)
    to_disk(serving)
    report(
        f"Published {len(manifest.tables)} tables, "
        f"{sum(table.rows for table in manifest.tables):,} rows: {serving / SERVING_FILE}"
    )
    return manifest


def _copy(
    settings: Settings, run_id: str, published_at: datetime, new_file: Path, new_folder: Path
) -> dict[str, tuple[int, str]]:
    """Write the new files; returns name → (rows, checksum) as counted in the warehouse's copy."""
    with _connection(settings) as con:
        # as a variable the key is in no statement that an error could show
        con.execute("set variable hash_key = ?", [settings.hash_key])
        con.execute(f"attach {_text(settings.warehouse)} as warehouse (read_only)")
        con.execute(
            f"attach {_text(new_file)} as served (storage_version {_text(STORAGE_VERSION)})"
        )
        con.execute(f"create schema served.{SCHEMA}")
        con.execute(
            f"create table served.{SCHEMA}.{PUBLICATION} ("
            "run_id varchar, published_at timestamp, table_name varchar, row_count bigint, "
            "row_checksum varchar, duckdb_version varchar)"
        )
        counts: dict[str, tuple[int, str]] = {}
        for name in _marts(con, settings):
            served = f"served.{SCHEMA}.{_name(name)}"
            con.execute(f"create table {served} as {_selection(con, name)}")
            counts[name] = _rows_and_checksum(con, served)
            con.execute(
                f"insert into served.{SCHEMA}.{PUBLICATION} values (?, ?, ?, ?, ?, ?)",
                [run_id, published_at.replace(tzinfo=None), name, *counts[name],
                 duckdb.__version__],
            )  # fmt: skip
        for name in (*counts, PUBLICATION):
            con.execute(
                f"copy served.{SCHEMA}.{_name(name)} to "
                f"{_text(new_folder / f'{name}.parquet')} (format parquet, compression zstd)"
            )
        for name, (rows, _) in counts.items():
            found = con.execute(
                f"select count(*) from warehouse.{SCHEMA}.{_name(name)}"
            ).fetchall()[0][0]
            if found != rows:
                raise IntentMapError(
                    f"Table {name} has {found} rows in the warehouse but {rows} in its copy; "
                    "nothing was published. Publish again."
                )
        con.execute("detach served")
    return counts


@contextlib.contextmanager
def _connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    spill = settings.warehouse.parent / "spill"
    config = {"temp_directory": str(spill), "preserve_insertion_order": "false"}
    limit = os.environ.get("INTENT_MAP_MEMORY_LIMIT")
    con = duckdb.connect(config=config | ({"memory_limit": limit} if limit else {}))
    try:
        con.execute("set TimeZone = 'UTC'")
        yield con
    finally:
        con.close()


def _marts(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    names = [
        name
        for (name,) in con.execute(
            "select table_name from information_schema.tables "
            "where table_catalog = 'warehouse' and table_schema = ? order by table_name",
            [SCHEMA],
        ).fetchall()
        # a killed dbt run can leave its half-made tables behind
        if name.startswith("mart_") and "__dbt_" not in name
    ]
    if not names:
        raise IntentMapError(
            f"There is nothing to publish: {settings.warehouse} has no table in schema {SCHEMA}. "
            "Run the nightly job first."
        )
    return names


def _selection(con: duckdb.DuckDBPyConnection, name: str) -> str:
    columns = [
        column
        for (column,) in con.execute(
            "select column_name from information_schema.columns where table_catalog = 'warehouse' "
            "and table_schema = ? and table_name = ? order by ordinal_position",
            [SCHEMA, name],
        ).fetchall()
    ]
    # without a key, and for an id that is null, the hash is null
    expressions = [
        f"sha256(getvariable('hash_key') || '|' || cast({_name(column)} as varchar)) "
        f"as {_name(column)}"
        if column in PERSONAL_IDS
        else _name(column)
        for column in columns
    ]
    return f"select {', '.join(expressions)} from warehouse.{SCHEMA}.{_name(name)}"


def _rows_and_checksum(con: duckdb.DuckDBPyConnection, table: str) -> tuple[int, str]:
    # an alias that is no column's name stands for the whole row
    rows, checksum = con.execute(
        "select count(*), coalesce(sum(cast(hash(whole_row) as hugeint)), 0) "
        f"from {table} as whole_row"
    ).fetchall()[0]
    return rows, str(checksum)


def _check(new_file: Path, new_folder: Path, counts: dict[str, tuple[int, str]]) -> None:
    """Open what was written, as a reader would, and count again."""
    with duckdb.connect(str(new_file), read_only=True) as con:
        for name, expected in counts.items():
            table = f"{SCHEMA}.{_name(name)}"
            copy = f"read_parquet({_text(new_folder / f'{name}.parquet')})"
            of_table, of_copy = _rows_and_checksum(con, table), _rows_and_checksum(con, copy)
            if _types(con, table) != _types(con, copy):
                # Parquet has no type for some (hugeint, enum), so that their hashes differ
                of_copy = (of_copy[0], expected[1])
            if of_table != expected or of_copy != expected:
                raise IntentMapError(
                    f"The new copy of {name} does not read back as written; nothing was "
                    "published. See that the disk is sound and publish again."
                )


def _types(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[1] for row in con.execute(f"describe select * from {table}").fetchall()]


def _replace_parquet(serving: Path, new_folder: Path) -> None:
    versions = serving / PARQUET_VERSIONS
    final = new_folder.with_name(new_folder.name.removesuffix(UNFINISHED))
    new_folder.rename(final)
    to_disk(versions)
    link = serving / PARQUET_LINK
    before = link.resolve() if link.is_symlink() else None
    if before is None and link.is_dir():
        # a backup without links was put back: its folder becomes one of the versions
        before = versions / "restored"
        shutil.rmtree(before, ignore_errors=True)
        link.rename(before)
    new_link = serving / (PARQUET_LINK + UNFINISHED)
    new_link.symlink_to(Path(PARQUET_VERSIONS) / final.name)
    new_link.replace(link)
    for folder in versions.iterdir():
        if folder not in (final, before):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(serving: Path) -> None:
    """What an earlier publish could not finish, also one that was killed."""
    if not serving.is_dir():
        return
    versions = serving / PARQUET_VERSIONS
    found = [*serving.iterdir(), *(versions.iterdir() if versions.is_dir() else [])]
    for path in found:
        # the name goes on after the mark in DuckDB's own side files, such as .wal
        if UNFINISHED not in path.name:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _version_name(published_at: datetime, run_id: str) -> str:
    safe = "".join(letter for letter in run_id if letter.isalnum() or letter in "-_")[:40]
    return f"{published_at:%Y%m%dT%H%M%S}_{safe}_{os.urandom(3).hex()}"


def _as_json(manifest: Manifest) -> str:
    content = asdict(manifest)
    content["path"] = manifest.path.name
    content["serving_file"] = SERVING_FILE
    content["parquet_folder"] = PARQUET_LINK
    return json.dumps(content, indent=2) + "\n"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
