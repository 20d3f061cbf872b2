"""Bringing what was written safely to disk, and saying so when the disk does not take it.

Belongs here: flushing a file or a folder, the checksum of a file, the words for a disk that is full
or closed. Does not belong here: what is written, and its swap.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
# as DuckDB and SQLite say it, whose errors carry no number
FULL_IN_WORDS = ("No space left on device", "disk is full", "Disk quota exceeded")
# what they say besides, of a full disk and of a broken one
NOT_WRITTEN_IN_WORDS = ("disk I/O error", "Could not write")
# a database that cannot take one more block of 256 KiB does not always say why
TOO_LITTLE_BYTES = 16 * 1024 * 1024
# more at once would be memory that is new to the process each time, which costs more than reading
READ_AT_ONCE = 64 * 1024
CLOSED_IN_WORDS = ("Permission denied", "readonly database", "Read-only file system")


def to_disk(path: Path) -> None:
    """Flush a file's content, or a folder's names; raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums_of_both(one: Path, other: Path) -> tuple[str, str, int]:
    """SHA-256 of two files, and so many first bytes that both have the same of; these are hashed
    once. Raises OSError."""
    summed, same = hashlib.sha256(), 0
    with one.open("rb") as first, other.open("rb") as second:
        while (left := first.read(READ_AT_ONCE)) == (right := second.read(READ_AT_ONCE)) and left:
            summed.update(left)
            same += len(left)
        other_summed = summed.copy()
        _add_rest(summed, left, first)
        _add_rest(other_summed, right, second)
    return summed.hexdigest(), other_summed.hexdigest(), same


def _add_rest(summed: "hashlib._Hash", read: bytes, file: BinaryIO) -> None:
    while read:
        summed.update(read)
        read = file.read(READ_AT_ONCE)


def has_no_room(folder: Path) -> bool:
    """Whether the folder's disk has too little room left to write anything of a warehouse."""
    return shutil.disk_usage(folder).free < TOO_LITTLE_BYTES


def refused_by_disk(error: BaseException, home: Path) -> str | None:
    """A sentence for an error that comes from a full or closed disk, None for any other."""
    for one in _chain(error):
        number, text = getattr(one, "errno", None), str(one)
        is_full = number in FULL or any(words in text for words in FULL_IN_WORDS)
        if not is_full and any(words in text for words in NOT_WRITTEN_IN_WORDS):
            is_full = has_no_room(home)
        if is_full:
            return (
                f"The disk of {home} is full. Make room and run the same command again: what was "
                "finished before is safe, and what is served is unchanged."
            )
        if number in CLOSED or any(words in text for words in CLOSED_IN_WORDS):
            where = getattr(one, "filename", None) or home
            return (
                f"{where} may not be written or read by this user. Give the permission back and "
                "run the same command again: what was finished before is safe."
            )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
