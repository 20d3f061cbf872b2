"""From the warehouse to what people read: the serving file, Parquet copies, the manifest.

Belongs here: copying every mart to new files beside the served ones, checking them, and replacing
each in one step. Does not belong here: what a mart contains (dbt_project/models/marts), who may
start a run.

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
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.disk import checksum_of, has_no_room, to_disk
from orchestration.errors import IntentMapError, first_line
from orchestration.layout import layout_of
from orchestration.locking import writer_lock
from orchestration.parquet_joined import FIRST_BYTE, Piece, UnlikeFilesError, join, piece_of
from orchestration.published_parts import (
    NO_DAY,
    PERSONAL_IDS,
    Before,
    NotAsPublishedError,
    PublishedPart,
    PublishedTable,
    Sources,
    columns_of,
    day_of,
    different,
    expect_most_kept,
    read_before,
    rows_of_part,
    rows_published,
    sources_of,
    sums_of,
)
from orchestration.reading_back import Copy, Summed, Taken, expect_as_written, summed
from orchestration.settings import MANIFEST_FILE, SERVING_FILE, Settings
from orchestration.sql_text import literal, quoted

SCHEMA = "marts"
PUBLICATION = "publication"
# the mart without whose rows there is nothing to read
VISITS = "mart_sessions"

# the oldest storage that DuckDB still writes: clients from 1.1 on read it
STORAGE_VERSION = "v1.0.0"

PARQUET_LINK = "parquet"
PARQUET_VERSIONS = "parquet_versions"
UNFINISHED = ".unfinished"


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
            _remove_leftovers(settings.serving)
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
                _remove_leftovers(settings.serving)


def _publish(
    settings: Settings, run_id: str, whole: bool, report: Callable[[str], None]
) -> Manifest:
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
    before = None if whole else _before(settings, report)
    sources = _sources(settings, new_file if before else None)
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
        _remove_leftovers(serving)
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
    _replace_parquet(serving, new_folder)
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


def _sources(settings: Settings, new_file: Path | None) -> dict[str, Sources]:
    """All marts as they are in the warehouse. new_file: where the served file is copied to
    meanwhile, None for nowhere."""
    with ThreadPoolExecutor(1) as beside, _connection(settings) as con:
        copying = beside.submit(_copy_served, settings, new_file) if new_file else None
        sources = {
            name: sources_of(con, name, _in("warehouse", name), settings.hash_key)
            for name in _marts(con, settings)
        }
        if copying:
            copying.result()
    return sources


def _copy_served(settings: Settings, new_file: Path) -> None:
    shutil.copyfile(settings.serving / SERVING_FILE, new_file)
    # DuckDB waits for the disk when it closes the file, and then has less to wait for
    to_disk(new_file)


def _copy_and_check(
    settings: Settings, copied: _Copied, before: Before | None
) -> tuple[list[PublishedTable], int, str]:
    """Returns the tables, the rows written anew and the checksum of the new serving file."""
    with _connection(settings) as con, ThreadPoolExecutor(1) as beside:
        copies, files, written = _copy(con, copied, before, beside)
        # the file is as it will be, so its checksum need not wait for the reading back
        served_checksum = beside.submit(checksum_of, copied.file)
        con.execute(f"attach {literal(str(copied.file))} as served (read_only)")
        for copy in copies:
            expect_as_written(
                con,
                _in("served", copy.name),
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
        _drop_what_is_gone(con, copied, before)
    serving = copied.folder.parent.parent
    begun: dict[str, Future[Copy]] = {}
    all_written = 0
    # the largest first, whose Parquet files are written while all others are copied
    for name in sorted(copied.sources, key=lambda name: -_rows(copied.sources[name])):
        sources = copied.sources[name]
        old = before.tables.get(name) if before else None
        parts, written = _written(con, name, sources, old)
        all_written += sum(parts[part].rows for part in written if part in parts)
        _expect_all_parts(name, parts, sources)
        copy = Copy(
            name=name,
            rows=sum(part.rows for part in parts.values()),
            checksum=str(sum(int(part.checksum) for part in parts.values())),
            parts=tuple(parts[part] for part in sorted(parts)),
            parquet=copied.folder / f"{name}.parquet",
            taken={},
        )
        begun[name] = beside.submit(_new_parquet, con.cursor(), copy, old, serving, written)
    # taken in their turn, when the file is there, and while DuckDB brings the serving file to disk
    files = {name: beside.submit(_summed_and_safe, copy) for name, copy in begun.items()}
    copies = [copy.result() for copy in begun.values()]
    con.execute(
        f"create or replace table {_in('served', PUBLICATION)} ("
        "run_id varchar, published_at timestamp, table_name varchar, row_count bigint, "
        "row_checksum varchar, duckdb_version varchar)"
    )
    noted = [
        (copied.run_id, copied.published_at.replace(tzinfo=None), copy.name, copy.rows,
         copy.checksum, duckdb.__version__)
        for copy in sorted(copies, key=lambda copy: copy.name)
    ]  # fmt: skip
    con.execute(
        f"insert into {_in('served', PUBLICATION)} "
        f"values {', '.join(['(?, ?, ?, ?, ?, ?)'] * len(noted))}",
        [value for row in noted for value in row],
    )
    _copy_to_parquet(
        con, f"from {_in('served', PUBLICATION)}", copied.folder / f"{PUBLICATION}.parquet"
    )
    con.execute("detach served")
    return copies, files, all_written


def _rows(sources: Sources) -> int:
    return sum(source.rows for source in sources.values())


def _summed_and_safe(copy: Future[Copy]) -> Summed:
    found = summed(copy.result())
    to_disk(copy.result().parquet)
    return found


def _drop_what_is_gone(con: duckdb.DuckDBPyConnection, copied: _Copied, before: Before) -> None:
    runs = con.execute(f"select distinct run_id from {_in('served', PUBLICATION)}").fetchall()
    if runs != [(before.run_id,)]:
        raise NotAsPublishedError("the served file is not the one of the manifest.")
    for (name,) in con.execute(
        "select table_name from information_schema.tables where table_catalog = 'served'"
    ).fetchall():
        if name not in copied.sources and name != PUBLICATION:
            con.execute(f"drop table {_in('served', name)}")


def _written(
    con: duckdb.DuckDBPyConnection, name: str, sources: Sources, old: PublishedTable | None
) -> tuple[dict[int, PublishedPart], list[int]]:
    """Bring one table up to date; returns all its parts and which of them were replaced."""
    served, selection = _in("served", name), _selection(con, name)
    columns = columns_of(con, f"({selection})")
    day = day_of(name, (column for column, _ in columns))
    if old is not None and columns_of(con, served) != columns:
        old = None
    changed = different(sources, old)
    if old is None or (changed and day == NO_DAY):
        changed = sorted({*sources, *changed})
        kept = {}
        # the warehouse has them in order of days, so a week stands nearly together here too, and
        # replacing it later rewrites few other rows
        con.execute(f"create or replace table {served} as {selection}")
    else:
        kept = {part.part: part for part in old.parts if part.part not in changed}
        for part in changed:
            chosen = f"where {rows_of_part(name, part)}"
            con.execute(f"delete from {served} {chosen}")
            con.execute(f"insert into {served} {selection} {chosen}")
    counted = {
        part: (sources[part].rows, sources[part].checksum) for part in changed if part in sources
    }
    if any(checksum is None for _, checksum in counted.values()):
        sums = sums_of(con, served, day)
        counted = {part: (rows, str(total)) for part, (rows, total) in sums.items()}
    new = {
        part: PublishedPart(part, rows, str(checksum), sources[part].proof, parquet_bytes=0)
        for part, (rows, checksum) in counted.items()
        if part not in kept and part in sources
    }
    return kept | new, changed


def _expect_all_parts(name: str, parts: dict[int, PublishedPart], sources: Sources) -> None:
    """Raise where what was copied or kept is not what the warehouse has; the rows themselves are
    read back later."""
    found = {part: (source.rows, source.proof) for part, source in sources.items()}
    if {part.part: (part.rows, part.source) for part in parts.values()} != found:
        raise IntentMapError(
            f"Table {name} does not have the same rows in the warehouse and in its copy; "
            "nothing was published. Publish again."
        )


def _parquet_before(old: PublishedTable, serving: Path) -> Path | None:
    """The Parquet file of the last publish; None when it is not there or of another size."""
    before = serving / PARQUET_LINK / f"{old.name}.parquet"
    try:
        return before.resolve() if before.stat().st_size == old.parquet_bytes else None
    except OSError:
        return None


def _link(before: Path, path: Path, old: PublishedTable) -> bool:
    """Put a Parquet file that still holds at path too; False when its bytes are not those that
    were published, or that cannot be done."""
    if checksum_of(before) != old.parquet_sha256:
        return False
    try:
        try:
            path.hardlink_to(before)
        except OSError:
            shutil.copyfile(before, path)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def _pieces(old: PublishedTable, before: Path, written: list[int]) -> dict[int, Piece]:
    """Where in the Parquet file of the last publish the parts stand that still hold."""
    pieces, start = {}, FIRST_BYTE
    for part in old.parts:
        if part.part not in written and part.parquet_bytes:
            pieces[part.part] = Piece(before, start, part.parquet_bytes)
        start += part.parquet_bytes
    return pieces


def _new_parquet(
    con: duckdb.DuckDBPyConnection,
    copy: Copy,
    old: PublishedTable | None,
    serving: Path,
    written: list[int],
) -> Copy:
    """Give a mart its Parquet file: the one of the last publish, or a new one, as far as possible
    of the parts that were not written. Closes the connection. Returns the copy as it is then."""
    with con:
        before_it = _parquet_before(old, serving) if old else None
        if before_it and not written and _link(before_it, copy.parquet, old):
            return copy
        # where nothing was written, the file of before is broken
        kept = _pieces(old, before_it, written) if before_it and written else {}
        return _to_parquet(con, copy, kept)


def _to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, kept: dict[int, Piece]) -> Copy:
    """Write a mart's Parquet file; returns the copy with the bytes of each part in it.

    kept: the parts whose bytes are taken from another file instead of writing their rows. Whether
    a column may be null is said for a file as a whole, by what DuckDB knows of the rows, so parts
    that were written earlier, and even all of one moment, need not fit together.
    """
    if len(copy.parts) > 1:
        for ready in (kept, {}) if kept else ({},):
            with contextlib.suppress(UnlikeFilesError):
                return _joined_to_parquet(con, copy, ready)
    _copy_to_parquet(con, f"from {_in('served', copy.name)}", copy.parquet)
    return replace(copy, parts=tuple(replace(part, parquet_bytes=0) for part in copy.parts))


def _joined_to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, ready: dict[int, Piece]) -> Copy:
    """See _to_parquet. Raises UnlikeFilesError when the parts do not fit together."""
    try:
        # several at a time, since the rows of a week are mostly one row group, one thread's work
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alone = {
                part.part: pool.submit(_part_to_parquet, con.cursor(), copy, part.part)
                for part in copy.parts
                if part.part not in ready
            }
        pieces = ready | {part: written.result() for part, written in alone.items()}
        # a part that lost its rows on the way shows when the file is read back
        filled = [part.part for part in copy.parts if pieces[part.part].size]
        placed = join([pieces[part] for part in filled], copy.parquet)
        now = dict(zip(filled, placed, strict=True))
    finally:
        for left in copy.parquet.parent.glob(f"{copy.name}.*{UNFINISHED}"):
            left.unlink()
    return replace(
        copy,
        parts=tuple(replace(part, parquet_bytes=pieces[part.part].size) for part in copy.parts),
        taken={part: Taken(ready[part], now[part]) for part in ready},
    )


def _part_to_parquet(con: duckdb.DuckDBPyConnection, copy: Copy, part: int) -> Piece:
    alone = copy.parquet.with_name(f"{copy.name}.{part}{UNFINISHED}")
    chosen = f"where {rows_of_part(copy.name, part)}"
    with con:
        _copy_to_parquet(con, f"from {_in('served', copy.name)} {chosen}", alone)
    return piece_of(alone)


def _copy_to_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    con.execute(f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)")


@contextlib.contextmanager
def _connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    spill = settings.warehouse.parent / "spill"
    config = {"temp_directory": str(spill), "preserve_insertion_order": "false"}
    limit = os.environ.get("INTENT_MAP_MEMORY_LIMIT")
    con = duckdb.connect(config=config | ({"memory_limit": limit} if limit else {}))
    try:
        con.execute("set TimeZone = 'UTC'")
        # once, when the serving file is closed: it costs more, the larger the file is
        con.execute("set checkpoint_threshold = '1 TB'")
        # as a variable the key is in no statement that an error could show
        con.execute("set variable hash_key = ?", [settings.hash_key])
        con.execute(f"attach {literal(str(settings.warehouse))} as warehouse (read_only)")
        layout_of(con, settings, "warehouse")
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
    # without a key, and for an id that is null, the hash is null
    expressions = [
        f"sha256(getvariable('hash_key') || '|' || cast({quoted(column)} as varchar)) "
        f"as {quoted(column)}"
        if column in PERSONAL_IDS
        else quoted(column)
        for column, _ in columns_of(con, _in("warehouse", name))
    ]
    return f"select {', '.join(expressions)} from {_in('warehouse', name)}"


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


def _in(catalog: str, table: str) -> str:
    return f"{catalog}.{SCHEMA}.{quoted(table)}"
