"""From the warehouse to what people read: the serving file, Parquet copies, the manifest.

Belongs here: the order of a publish, from the parts that changed to files that are checked, and its
manifest. Does not belong here: the serving file's tables (tables.py), the Parquet files
(parquet_files.py), how files come to their places (places.py), what a mart contains
(dbt_project/models/marts), who may start a run.

Readers never wait and never see half a publish: they keep what they have open and find the new
state when they open again. The serving file is one file, replaced by rename: a copy of the one that
is served, in which the parts that differ from the warehouse are replaced. The Parquet copies of
one publish stand in one folder; `parquet` is a link to the newest, replaced by rename as well. The
folder before it stays for those who are still reading, older ones go. The manifest comes last.

No personal id leaves the warehouse: in columns named PERSONAL_IDS stands a hash made with the key
of INTENT_MAP_HASH_KEY, or nothing when there is no key.
"""

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.disk import checksum_of, has_no_room, to_disk
from orchestration.errors import IntentMapError, first_line
from orchestration.locking import writer_lock
from orchestration.publishing import parquet_files
from orchestration.publishing.parts import (
    PERSONAL_IDS,
    Before,
    NotAsPublishedError,
    PublishedTable,
    Sources,
    expect_most_kept,
    read_before,
    rows_published,
)
from orchestration.publishing.places import (
    PARQUET_LINK,
    PARQUET_VERSIONS,
    UNFINISHED,
    remove_leftovers,
    replace_parquet,
    version_name,
)
from orchestration.publishing.reading_back import Copy, Summed, expect_as_written, summed
from orchestration.publishing.tables import (
    PUBLICATION,
    SCHEMA,
    STORAGE_VERSION,
    bring_up_to_date,
    connection,
    drop_what_is_gone,
    expect_all_parts,
    in_catalog,
    sources_of_marts,
)
from orchestration.settings import MANIFEST_FILE, SERVING_FILE, Settings
from orchestration.sql_text import literal

# the mart without whose rows there is nothing to read
VISITS = "mart_sessions"


@dataclass(frozen=True)
class Manifest:
    """One publish: which run, when (UTC), what. path: the manifest file itself.

    whole_bytes, whole_rows: of the serving file when it was last written whole.
    """

    path: Path
    run_id: str
    published_at: str
    duckdb_version: str
    storage_version: str
    personal_ids: str
    serving_bytes: int
    serving_sha256: str
    whole_bytes: int
    whole_rows: int
    tables: tuple[PublishedTable, ...]


def publish(
    settings: Settings,
    run_id: str,
    report: Callable[[str], None] = print,
    whole: bool = False,
) -> Manifest:
    """Publish all marts of the warehouse; returns what was published.

    whole: write every row anew, so that nothing of what was served is left in freed blocks, and
    whatever there is. Raises IntentMapError when there is nothing to publish, no session is left of
    those that are served, or a file cannot be written; the served files are then as they were.
    """
    with writer_lock(settings, "publishing", report=report):
        if not settings.warehouse.exists():
            raise IntentMapError(
                f"There is nothing to publish: {settings.warehouse} is not there. "
                "Run the nightly job first."
            )
        try:
            settings.serving.mkdir(parents=True, exist_ok=True)
            remove_leftovers(settings.serving)
            return _publish(settings, run_id, whole, report)
        except (OSError, duckdb.Error) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
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
        finally:
            with contextlib.suppress(OSError):
                remove_leftovers(settings.serving)


def _publish(
    settings: Settings, run_id: str, whole: bool, report: Callable[[str], None]
) -> Manifest:
    serving = settings.serving
    published_at = datetime.now(UTC).replace(microsecond=0)
    new_file = serving / (SERVING_FILE + UNFINISHED)
    new_folder = serving / PARQUET_VERSIONS / (version_name(published_at, run_id) + UNFINISHED)
    new_folder.mkdir(parents=True)

    if settings.hash_key is None:
        report(
            "No INTENT_MAP_HASH_KEY is set: the published tables carry no visitor or user ids "
            f"(columns {', '.join(PERSONAL_IDS)} are empty)."
        )
    before = None if whole else _before(settings, report)
    sources = sources_of_marts(settings, new_file if before else None)
    if not whole:
        _refuse_an_emptied_history(sources, serving / MANIFEST_FILE)
    if before is not None:
        try:
            expect_most_kept(sources, before)
        except NotAsPublishedError as error:
            report(f"Everything is published anew: {error}.")
            new_file.unlink()
            before = None
    copied = _Copied(run_id, published_at, new_file, new_folder, sources)
    try:
        tables, written, serving_sha256 = _copy_and_check(settings, copied, before)
    except (NotAsPublishedError, IntentMapError, duckdb.Error) as error:
        if before is None or isinstance(error, duckdb.InterruptException):
            raise
        # such as a byte that turned over in what is served: it is not carried on
        report(f"Everything is published anew: {first_line(error)}")
        remove_leftovers(serving)
        new_folder.mkdir(parents=True)
        before = None
        tables, written, serving_sha256 = _copy_and_check(settings, copied, before)

    rows = sum(table.rows for table in tables)
    size = new_file.stat().st_size
    manifest = Manifest(
        path=serving / MANIFEST_FILE,
        run_id=run_id,
        published_at=published_at.isoformat(),
        **_kind(settings),
        serving_bytes=size,
        serving_sha256=serving_sha256,
        whole_bytes=before.whole_bytes if before else size,
        whole_rows=before.whole_rows if before else rows,
        tables=tuple(tables),
    )
    new_manifest = serving / (MANIFEST_FILE + UNFINISHED)
    new_manifest.write_text(_as_json(manifest), encoding="utf-8")

    for path in (new_file, new_manifest, *new_folder.iterdir(), new_folder):
        to_disk(path)

    new_file.replace(serving / SERVING_FILE)
    replace_parquet(serving, new_folder)
    new_manifest.replace(serving / MANIFEST_FILE)
    to_disk(serving)
    report(
        f"Published {len(manifest.tables)} tables, {rows:,} rows ({written:,} of them written "
        f"anew): {serving / SERVING_FILE}"
    )
    return manifest


def _refuse_an_emptied_history(sources: dict[str, Sources], manifest: Path) -> None:
    """Whoever reads in the morning rather has what was published before."""
    rows = rows_published(manifest, VISITS)
    if rows and not _rows(sources.get(VISITS, {})):
        raise IntentMapError(
            f"Nothing was published: the warehouse holds no session any more, and {rows:,} are "
            "served. That is what a setting that refuses every event leaves behind: "
            "`intent-map status` and marts.mart_event_audit in the warehouse say more. If "
            f"it is meant, remove {manifest} and publish again."
        )


@dataclass(frozen=True)
class _Copied:
    """What one publish writes, from which parts of the warehouse, and where."""

    run_id: str
    published_at: datetime
    file: Path
    folder: Path
    sources: dict[str, Sources]


def _kind(settings: Settings) -> dict[str, str]:
    return {
        "duckdb_version": duckdb.__version__,
        "storage_version": STORAGE_VERSION,
        "personal_ids": "left out" if settings.hash_key is None else "keyed hashes",
    }


def _before(settings: Settings, report: Callable[[str], None]) -> Before | None:
    """The publish to go on from, or None to write everything."""
    file, manifest = settings.serving / SERVING_FILE, settings.serving / MANIFEST_FILE
    if not file.exists() and not manifest.exists():
        return None
    try:
        return read_before(manifest, file, _kind(settings))
    except NotAsPublishedError as error:
        report(f"Everything is published anew: {error}.")
        return None


def _copy_and_check(
    settings: Settings, copied: _Copied, before: Before | None
) -> tuple[list[PublishedTable], int, str]:
    """Returns the tables, the rows written anew and the checksum of the new serving file."""
    with connection(settings) as con, ThreadPoolExecutor(1) as beside:
        copies, files, written = _copy(con, copied, before, beside)
        # the file is as it will be, so its checksum need not wait for the reading back
        served_checksum = beside.submit(checksum_of, copied.file)
        con.execute(f"attach {literal(str(copied.file))} as served (read_only)")
        for copy in copies:
            expect_as_written(
                con,
                in_catalog("served", copy.name),
                copy,
                before.tables.get(copy.name) if before else None,
                files[copy.name],
            )
        con.execute("detach served")
        tables = [
            PublishedTable(
                name=copy.name,
                rows=copy.rows,
                checksum=copy.checksum,
                parquet_bytes=copy.parquet.stat().st_size,
                parquet_sha256=files[copy.name].result().parquet,
                parts=copy.parts,
            )
            for copy in sorted(copies, key=lambda copy: copy.name)
        ]
        return tables, written, served_checksum.result()


def _copy(
    con: duckdb.DuckDBPyConnection, copied: _Copied, before: Before | None, beside: Executor
) -> tuple[list[Copy], dict[str, Future[Summed]], int]:
    """Write the new files; returns the tables, the checksums of their Parquet files by mart, and
    the rows written into the serving file.

    before: what a copy of the served file, which stands there already, is gone on from. beside:
    where a mart becomes Parquet while the next one is copied into the serving file.
    """
    con.execute(
        f"attach {literal(str(copied.file))} as served (storage_version {literal(STORAGE_VERSION)})"
    )
    con.execute(f"create schema if not exists served.{SCHEMA}")
    if before is not None:
        drop_what_is_gone(con, copied.sources, before)
    serving = copied.folder.parent.parent
    begun: dict[str, Future[Copy]] = {}
    all_written = 0
    # the largest first, whose Parquet files are written while all others are copied
    for name in sorted(copied.sources, key=lambda name: -_rows(copied.sources[name])):
        sources = copied.sources[name]
        old = before.tables.get(name) if before else None
        parts, written = bring_up_to_date(con, name, sources, old)
        all_written += sum(parts[part].rows for part in written if part in parts)
        expect_all_parts(name, parts, sources)
        copy = Copy(
            name=name,
            rows=sum(part.rows for part in parts.values()),
            checksum=str(sum(int(part.checksum) for part in parts.values())),
            parts=tuple(parts[part] for part in sorted(parts)),
            parquet=copied.folder / f"{name}.parquet",
            taken={},
        )
        begun[name] = beside.submit(
            parquet_files.new_parquet, con.cursor(), copy, old, serving, written
        )
    # taken in their turn, when the file is there, and while DuckDB brings the serving file to disk
    files = {name: beside.submit(_summed_and_safe, copy) for name, copy in begun.items()}
    copies = [copy.result() for copy in begun.values()]
    con.execute(
        f"create or replace table {in_catalog('served', PUBLICATION)} ("
        "run_id varchar, published_at timestamp, table_name varchar, row_count bigint, "
        "row_checksum varchar, duckdb_version varchar)"
    )
    noted = [
        (copied.run_id, copied.published_at.replace(tzinfo=None), copy.name, copy.rows,
         copy.checksum, duckdb.__version__)
        for copy in sorted(copies, key=lambda copy: copy.name)
    ]  # fmt: skip
    con.execute(
        f"insert into {in_catalog('served', PUBLICATION)} "
        f"values {', '.join(['(?, ?, ?, ?, ?, ?)'] * len(noted))}",
        [value for row in noted for value in row],
    )
    parquet_files.copy_to_parquet(
        con, f"from {in_catalog('served', PUBLICATION)}", copied.folder / f"{PUBLICATION}.parquet"
    )
    con.execute("detach served")
    return copies, files, all_written


def _rows(sources: Sources) -> int:
    return sum(source.rows for source in sources.values())


def _summed_and_safe(copy: Future[Copy]) -> Summed:
    found = summed(copy.result())
    to_disk(copy.result().parquet)
    return found


def _as_json(manifest: Manifest) -> str:
    content = asdict(manifest)
    content["path"] = manifest.path.name
    content["serving_file"] = SERVING_FILE
    content["parquet_folder"] = PARQUET_LINK
    return json.dumps(content, indent=2) + "\n"
