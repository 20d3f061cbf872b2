"""Where what is served lies, and how a new publish comes there.

Belongs here: names of files and folders, putting the Parquet copies of a publish in the place of
those before, and removing what a publish could not finish. Does not belong here: what is in the
files.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

from orchestration.disk import to_disk

PARQUET_LINK = "parquet"
PARQUET_VERSIONS = "parquet_versions"
UNFINISHED = ".unfinished"


def replace_parquet(serving: Path, new_folder: Path) -> None:
    """Let the link lead to a folder of new copies; the one before stays, older ones go."""
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


def remove_leftovers(serving: Path) -> None:
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


def version_name(published_at: datetime, run_id: str) -> str:
    """Name of the folder of one publish's copies, which no other publish has."""
    safe = "".join(letter for letter in run_id if letter.isalnum() or letter in "-_")[:40]
    return f"{published_at:%Y%m%dT%H%M%S}_{safe}_{os.urandom(3).hex()}"
