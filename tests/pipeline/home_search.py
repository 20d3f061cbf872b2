"""Looks for a pattern in everything that a home holds, as bytes and as what the bytes stand for.

Belongs here: the search, written without the code that erases. Does not belong here: what should be
found (the tests).
"""

import re
import sqlite3
import zlib
from collections import Counter
from pathlib import Path

import duckdb


def places_that_hold(home: Path, pattern: str) -> Counter[str]:
    """Path below the home, and within it the table or so, → how many texts hold the pattern."""
    sought = re.compile(pattern)
    in_bytes = re.compile(pattern.encode())
    found: Counter[str] = Counter()
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if in_bytes.search(name.encode()):
            found[f"{name} as a name"] += 1
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        found[f"{name} bytes"] += len(in_bytes.findall(content))
        if content[:2] == b"\x1f\x8b":
            # to where it is cut off, if it is
            text = zlib.decompressobj(wbits=31).decompress(content)
            found[f"{name} unpacked"] += len(in_bytes.findall(text))
        elif content[:4] == b"PAR1":
            with duckdb.connect() as con:
                found[f"{name} rows"] += _rows(con, f"read_parquet('{path}')", pattern)
        elif content[8:12] == b"DUCK":
            found.update(_in_duckdb(path, name, pattern))
        elif content[:15] == b"SQLite format 3":
            found.update(_in_sqlite(path, name, sought))
    return +found


def _rows(con: duckdb.DuckDBPyConnection, relation: str, pattern: str) -> int:
    condition = "regexp_matches(cast(to_json(r) as varchar), ?)"
    return con.execute(
        f"select count(*) from {relation} as r where {condition}", [pattern]
    ).fetchall()[0][0]


def _in_duckdb(path: Path, name: str, pattern: str) -> Counter[str]:
    found: Counter[str] = Counter()
    with duckdb.connect(str(path), read_only=True) as con:
        tables = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where database_name = current_database()"
        ).fetchall()
        for (table,) in tables:
            found[f"{name} {table}"] += _rows(con, table, pattern)
        for view, sql in con.execute("select view_name, sql from duckdb_views()").fetchall():
            found[f"{name} {view}"] += len(re.findall(pattern, sql))
    return found


def _in_sqlite(path: Path, name: str, sought: re.Pattern[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    con = sqlite3.connect(path)
    for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
        for row in con.execute(f'select * from "{table}"'):
            found[f"{name} {table}"] += bool(sought.search(repr(row)))
    con.close()
    return found
