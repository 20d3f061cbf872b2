"""Bringing what was written safely to disk.

Belongs here: flushing a file or a folder. Does not belong here: what is written, and its swap.
"""

import os
from pathlib import Path


def to_disk(path: Path) -> None:
    """Flush a file's content, or a folder's names; raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
