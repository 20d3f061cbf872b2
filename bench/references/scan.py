"""A plain scan: the columns that the core needs, read once and thrown away. No core is faster."""

import argparse
import sys
from pathlib import Path

import duckdb

from bench.references import core


def scan(folder: Path, threads: int = 2, memory_limit: str = "80%") -> int:
    """Read every value of the columns; the number of rows."""
    files = core.files_of(folder).replace("'", "''")
    # the length or the number itself is asked of each value, so that none is left unread
    touched = ", ".join(
        f"max({name})" if name in ("occurred_at", "value", "sequence") else f"max(length({name}))"
        for name in core.COLUMNS
    )
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {threads}; set memory_limit = '{memory_limit}'")
        connection.execute("set preserve_insertion_order = false")
        query = f"select count(*), {touched} from read_parquet('{files}')"
        return connection.execute(query).fetchall()[0][0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.references.scan")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="80%")
    arguments = parser.parse_args()
    print(scan(arguments.folder, arguments.threads, arguments.memory_limit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
