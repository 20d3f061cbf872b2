"""Backup and restore: all of a home that cannot be had again, in one folder with checksums.

Belongs here: what is copied, the manifest, checking it, putting it in place. Does not belong here:
what comes back by itself (published files, dbt's folder, Dagster's history of runs), landing files.

A backup is whole when its manifest is there: it is written last, and the folder gets its name
after that. A restore checks every byte before it touches the home.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dashboard import write_dashboard
from orchestration.disk import checksum_of, to_disk
from orchestration.errors import IntentMapError
from orchestration.landing import attached_sources, kept
from orchestration.landing.attached import see_to_it
from orchestration.landing.warehouse import Warehouse
from orchestration.layout import layout_of
from orchestration.locking import writer_lock
from orchestration.publishing import publish
from orchestration.settings import Settings
from orchestration.simulated import RECORD

MANIFEST = "manifest.json"
FORMAT = 1
WAREHOUSE, BUSINESS_FILES, NOTES = "warehouse", "business_files", "notes"
# in the home itself: receipts of erasures, which warnings were told already, and of a simulated
# shop the note that it is one
NOTED = ("erasures", "alerts_sent.json", RECORD)
UNFINISHED = ".unfinished"
BLOCK = 1 << 20
# beside the copy the disk keeps this much
SPARE_BYTES = 64 * BLOCK


@dataclass(frozen=True)
class SavedFile:
    """One file of a backup, by its path in it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """The manifest of a backup. loads, raw_rows: what the ledger counted, to know it by."""

    made_at: str
    project_version: str
    duckdb_version: str
    loads: int
    raw_rows: int
    files: tuple[SavedFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def back_up(settings: Settings, destination: Path, report: Callable[[str], None] = print) -> Backup:
    """Copy the warehouse, its kept files, the business files and the notes to a new folder.

    Raises IntentMapError when there is nothing to copy, the folder is there already, or the disk
    has no room; nothing by that name is then left.
    """
    destination = destination.expanduser().resolve()
    if not settings.warehouse.exists():
        raise IntentMapError(f"There is nothing to back up: {settings.warehouse} is not there.")
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise IntentMapError(f"{destination} is there already; name a folder that is not.")
    of_runs = (
        settings.warehouse.parent,
        settings.landing,
        settings.serving,
        settings.dagster_home,
        settings.dbt_target_path.parent,
        # each later backup would hold this one
        *(settings.home / name for name in NOTED),
    )
    if any(destination.is_relative_to(folder) for folder in of_runs):
        # a landing would set its files aside one by one
        raise IntentMapError(
            f"{destination} is in a folder of the home that runs read and write; name another "
            "folder, better on another disk."
        )
    part = destination.with_name(destination.name + UNFINISHED)
    with writer_lock(settings, "backup", report=report):
        # what the log beside the warehouse still holds goes into the file
        with duckdb.connect(str(settings.warehouse)) as con:
            con.execute("force checkpoint")
            loads, rows = con.execute(
                "select count(*), coalesce(sum(row_count), 0)::bigint from raw.loads"
            ).fetchone()
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            sources = list(_to_save(settings))
            _see_to_room(part, sum(source.stat().st_size for source, _ in sources))
            files = tuple(_copy(source, part / path, path) for source, path in sources)
            backup = Backup(
                made_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
                project_version=version("intent-map"),
                duckdb_version=duckdb.__version__,
                loads=loads,
                raw_rows=rows,
                files=files,
            )
            manifest = part / MANIFEST
            text = json.dumps({"format": FORMAT, **asdict(backup)}, indent=1) + "\n"
            manifest.write_text(text, encoding="utf-8")
            for path in (manifest, part):
                to_disk(path)
            if destination.exists():
                destination.rmdir()
            part.rename(destination)
            to_disk(destination.parent)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise IntentMapError(
                f"The backup to {destination} stopped: {error.strerror or error}. Nothing by that "
                "name is left there."
            ) from error
    report(
        f"Backed up to {destination}: {len(files):,} files, {backup.size / 1e6:,.1f} MB. Not in "
        "it: landing files, and the key of INTENT_MAP_HASH_KEY, which belongs in a safe of its own."
    )
    return backup


def restore(
    settings: Settings,
    source: Path,
    *,
    force: bool = False,
    report: Callable[[str], None] = print,
) -> Backup:
    """Put a backup in place, after checking every byte of it, and publish.

    force: also over a home that has a warehouse, which is kept aside under replaced/, in whatever
    state it is. Raises IntentMapError when the backup is damaged or too new, an attached table
    cannot be read, or the home is not empty.
    """
    source = source.expanduser().resolve()
    backup = read_backup(source)
    report(f"Checking {len(backup.files):,} files of the backup made at {backup.made_at} ...")
    check_backup(source, backup)
    _refuse_newer_layout(settings, source)
    for entry in attached_sources(settings).values():
        see_to_it(entry)
    folder = settings.warehouse.parent
    with writer_lock(settings, "restore", report=report, restores=True, to_replace=force):
        if not force and _holds_files(folder):
            raise IntentMapError(
                f"The home {settings.home} has a warehouse already, or files of one. Set "
                "INTENT_MAP_HOME to an empty folder, or add --force, which keeps the old one aside "
                "in that home."
            )
        part, is_whole = settings.restoring, False
        try:
            shutil.rmtree(part, ignore_errors=True)
            wanted = [file for file in backup.files if file.path.startswith(f"{WAREHOUSE}/")]
            _see_to_room(settings.home, sum(file.size for file in wanted))
            for file in wanted:
                _copy(source / file.path, part / Path(file.path).relative_to(WAREHOUSE))
            to_disk(part)
            is_whole = True
            _put_aside(settings, report)
            part.rename(folder)
            to_disk(folder.parent)
            _put_notes_back(settings, source, backup)
        except OSError as error:
            if not is_whole:
                # or the nights of what is still in its place would find the disk full of it
                shutil.rmtree(part, ignore_errors=True)
            raise IntentMapError(
                f"The restore stopped: {error.strerror or error}. Run the same command again; the "
                f"backup is unchanged, and what was here before is in {settings.replaced} "
                "if it is no longer in its place."
            ) from error
        # the views of kept files hold the paths of the home that was backed up
        warehouse = Warehouse(settings, report)
        try:
            warehouse.open()
        finally:
            warehouse.close()
        _compare_business_files(settings, source, backup, report)
        _say_who_came_back(settings, backup, report)
        report(f"Restored {backup.loads:,} loads with {backup.raw_rows:,} rows to {folder}.")
        if _has_marts(settings):
            run_id = f"restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            publish(settings, run_id, report, whole=True)
            write_dashboard(settings, report)
    return backup


def read_backup(folder: Path) -> Backup:
    """The manifest of a backup; raises IntentMapError when there is none, or one it cannot read."""
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise IntentMapError(
                f"{path} is of another format than this release reads; restore it with the release "
                f"that made it ({found.get('project_version')})."
            )
        files = tuple(SavedFile(**file) for file in found.pop("files"))
        return Backup(**found, files=files)
    except FileNotFoundError as error:
        raise IntentMapError(
            f"{folder} is no backup, or one that was not finished: {MANIFEST} is not there."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntentMapError(f"{path} cannot be read: {error}.") from error


def check_backup(folder: Path, backup: Backup) -> None:
    """Raise IntentMapError that names the first file which is not as it was saved."""
    newer = _numbers(backup.duckdb_version) > _numbers(duckdb.__version__)
    if newer:
        raise IntentMapError(
            f"The backup was made with DuckDB {backup.duckdb_version}, and {duckdb.__version__} is "
            "installed here, which may not read it. Use the release of the project that made it "
            f"({backup.project_version}), or a later one."
        )
    for file in backup.files:
        path = folder / file.path
        if not path.resolve().is_relative_to(folder):
            raise IntentMapError(f"The backup names {file.path}, which is outside of it.")
        try:
            if path.stat().st_size != file.size or checksum_of(path) != file.sha256:
                raise IntentMapError(
                    f"{path} is not as it was saved, so nothing was restored. Take another copy of "
                    "this backup, or an older one."
                )
        except OSError as error:
            raise IntentMapError(
                f"{path} cannot be read ({error.strerror}), so nothing was restored."
            ) from error


def _refuse_newer_layout(settings: Settings, folder: Path) -> None:
    """What no command could use must not take the place of a warehouse that is well."""
    # a backup has its warehouse where a home has it
    saved = replace(settings, home=folder)
    with duckdb.connect(str(saved.warehouse), read_only=True) as con:
        layout_of(con, saved)


def _to_save(settings: Settings) -> Iterator[tuple[Path, str]]:
    """(file, path in the backup) of all that is saved."""
    yield settings.warehouse, f"{WAREHOUSE}/{settings.warehouse.name}"
    folder = settings.warehouse.parent
    for path in sorted((folder / kept.FOLDER).rglob("*")):
        if path.is_file() and not path.name.endswith(kept.UNFINISHED):
            yield path, f"{WAREHOUSE}/{path.relative_to(folder).as_posix()}"
    for path in sorted(settings.seeds.glob("*.csv")):
        yield path, f"{BUSINESS_FILES}/{path.name}"
    for name in NOTED:
        top = settings.home / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file():
                yield path, f"{NOTES}/{path.relative_to(settings.home).as_posix()}"


def _see_to_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE_BYTES:
        raise OSError(f"it needs {wanted / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free")


def _copy(source: Path, target: Path, path: str = "") -> SavedFile:
    """Copy one file and hash it on the way, flushed to disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(BLOCK):
            digest.update(block)
            written.write(block)
            size += len(block)
    to_disk(target)
    return SavedFile(path, size, digest.hexdigest())


def _numbers(duckdb_version: str) -> tuple[int, ...]:
    parts = duckdb_version.split(".")[:3]
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)


def _holds_files(folder: Path) -> bool:
    # kept files without a warehouse may be all that is left of one
    return any(path.is_file() for path in folder.rglob("*"))


def _put_aside(settings: Settings, report: Callable[[str], None]) -> None:
    folder = settings.warehouse.parent
    if not _holds_files(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside, number = settings.replaced / name, 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{name}_{number}")
    aside.mkdir(parents=True)
    folder.rename(aside / folder.name)
    to_disk(aside)
    report(f"What was here before is kept in {aside}; remove it when you are sure.")


def _put_notes_back(settings: Settings, source: Path, backup: Backup) -> None:
    for file in backup.files:
        if file.path.startswith(f"{NOTES}/"):
            target = settings.home / Path(file.path).relative_to(NOTES)
            if not target.exists():
                _copy(source / file.path, target)


def _compare_business_files(
    settings: Settings, source: Path, backup: Backup, report: Callable[[str], None]
) -> None:
    """Never write over a business's files; say where those of the backup are when they differ."""
    differing = []
    for file in backup.files:
        if file.path.startswith(f"{BUSINESS_FILES}/"):
            here = settings.seeds / Path(file.path).name
            if not here.is_file() or checksum_of(here) != file.sha256:
                differing.append(here.name)
    if differing:
        report(
            f"The business files in {settings.seeds} are not those of the backup "
            f"({', '.join(differing)}), so the next night builds everything anew under them. To go "
            f"on under the rules of the backup, copy {source / BUSINESS_FILES} to a folder of your "
            "own and set INTENT_MAP_SEEDS to it."
        )


def _say_who_came_back(settings: Settings, backup: Backup, report: Callable[[str], None]) -> None:
    """A backup holds the people who were erased after it was made."""
    made_at = datetime.fromisoformat(backup.made_at).replace(tzinfo=None)
    later = [
        path.stem
        for path in sorted((settings.home / "erasures").glob("*Z.json"))
        if datetime.strptime(path.stem, "%Y%m%dT%H%M%SZ") > made_at
    ]
    if later:
        made = "1 erasure was" if len(later) == 1 else f"{len(later)} erasures were"
        report(
            f"{made} made after this backup ({', '.join(later)}), and the people are back with it: "
            "run `intent-map erase-user` again for each. It sets aside as changed the landing "
            "files here that an erasure rewrote; delete them there, since the backup has all their "
            "rows."
        )


def _has_marts(settings: Settings) -> bool:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return bool(
            con.execute(
                "select 1 from duckdb_tables() where schema_name = 'marts' "
                "and table_name like 'mart\\_%' escape '\\' limit 1"
            ).fetchall()
        )
