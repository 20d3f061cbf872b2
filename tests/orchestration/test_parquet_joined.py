"""Row groups of several Parquet files as one file: what readers find in it, and what is refused."""

import hashlib
import subprocess
from pathlib import Path

import duckdb
import pytest

from orchestration import disk
from orchestration.publishing import parquet_joined
from orchestration.publishing.parquet_joined import (
    Piece,
    UnlikeFilesError,
    has_same_bytes,
    join,
    piece_of,
)
from orchestration.settings import PROJECT_ROOT

# names of few letters get a dictionary and a bloom filter, numbers that differ get neither
ROWS = """
    select i as id, 'channel ' || i % 7 as channel, if(i % 9 = 0, null, i * 1.25) as value,
        timestamp '2026-01-01' + to_minutes(cast(i as integer)) as at, [i, i + 1] as pair
    from range({first}, {last}) as numbers (i)
"""


@pytest.fixture
def parts(tmp_path):
    """Three files, the second of several row groups."""
    files = []
    with duckdb.connect() as con:
        for first, last in ((0, 500), (500, 9_000), (9_000, 9_001)):
            files.append(tmp_path / f"{first}.parquet")
            query = ROWS.format(first=first, last=last)
            con.execute(
                f"copy ({query}) to '{files[-1]}' "
                "(format parquet, compression zstd, row_group_size 2048)"
            )
    return files


def rows(query):
    with duckdb.connect() as con:
        return con.execute(query).fetchall()


def pieces_of(path, parts):
    """The same pieces in the file that they were joined into."""
    found, start = [], piece_of(path).start
    for part in parts:
        found.append(Piece(path, start, piece_of(part).size))
        start += found[-1].size
    return found


def test_a_joined_file_has_the_rows_of_its_parts_in_their_order(parts, tmp_path):
    joined = tmp_path / "joined.parquet"
    join([piece_of(part) for part in parts], joined)
    assert rows(f"from '{joined}'") == rows(ROWS.format(first=0, last=9_001))
    groups = f"select count(distinct row_group_id) from parquet_metadata('{joined}')"
    assert rows(groups) == [(1 + 5 + 1,)]


def test_statistics_and_filters_of_a_joined_file_hold(parts, tmp_path):
    joined = tmp_path / "joined.parquet"
    join([piece_of(part) for part in parts], joined)
    assert rows(f"select count(*) from '{joined}' where id = 8999") == [(1,)]
    assert rows(f"select count(*) from '{joined}' where channel = 'channel 3'") == [(1286,)]
    assert rows(f"select count(*) from '{joined}' where channel = 'channel 33'") == [(0,)]
    # a row group is left out by its bloom filter in both, so the filter is found where it stands
    excluded = (
        "select count(*) from parquet_bloom_probe('{}', 'channel', 'channel 33') "
        "where bloom_filter_excludes"
    )
    in_parts = sum(rows(excluded.format(part))[0][0] for part in parts)
    assert rows(excluded.format(joined))[0][0] == in_parts > 3


def test_each_row_group_says_where_it_begins(parts, tmp_path):
    joined = tmp_path / "joined.parquet"
    join([piece_of(part) for part in parts], joined)
    for path in (*parts, joined):
        footer = parquet_joined._read_footer(path)
        groups = footer[parquet_joined.ROW_GROUPS][1][1]
        said = [group[parquet_joined.GROUP_OFFSET][1] for group in groups]
        assert said == [parquet_joined._begin_of(group) for group in groups]


def test_parts_of_a_joined_file_can_be_joined_again(parts, tmp_path):
    once, again = tmp_path / "once.parquet", tmp_path / "again.parquet"
    join([piece_of(part) for part in parts], once)
    first, _, third = pieces_of(once, parts)
    join([first, piece_of(parts[1]), third], again)
    assert again.read_bytes() == once.read_bytes()
    join([third, first], again)
    assert [row[0] for row in rows(f"select id from '{again}'")] == [9_000, *range(500)]


def test_pieces_are_told_apart_by_any_byte(parts, tmp_path):
    joined = tmp_path / "joined.parquet"
    pieces = [piece_of(part) for part in parts]
    placed = join(pieces, joined)
    assert placed == pieces_of(joined, parts)
    assert all(map(has_same_bytes, pieces, placed))
    assert not has_same_bytes(pieces[0], placed[1])
    last = placed[1].start + placed[1].size - 1
    content = bytearray(joined.read_bytes())
    content[last] ^= 1
    joined.write_bytes(content)
    assert list(map(has_same_bytes, pieces, placed)) == [True, False, True]


ROUND = disk.READ_AT_ONCE


@pytest.mark.parametrize(
    ("alike", "rests"),
    [
        (b"", (b"", b"")),
        (b"a" * (2 * ROUND + 7), (b"", b"")),
        (b"", (b"a", b"b" * ROUND)),
        (b"a" * ROUND, (b"", b"b")),
        (b"a" * (2 * ROUND - 1), (b"b" * ROUND, b"c" * 3 * ROUND)),
    ],
    ids=["empty", "same", "other", "longer", "behind a beginning"],
)
def test_two_files_that_begin_alike_have_each_their_own_checksum(tmp_path, alike, rests):
    one, other = tmp_path / "one", tmp_path / "other"
    for path, rest in zip((one, other), rests, strict=True):
        path.write_bytes(alike + rest)
    *found, same = disk.checksums_of_both(one, other)
    assert found == [hashlib.sha256(alike + rest).hexdigest() for rest in rests]
    assert same <= len(alike)
    assert len(alike) - same < ROUND


def test_one_file_alone_comes_out_as_it_is(parts, tmp_path):
    join([piece_of(parts[1])], tmp_path / "same.parquet")
    assert (tmp_path / "same.parquet").read_bytes() == parts[1].read_bytes()


def other_columns(parts, tmp_path):
    rows(f"copy (select 1 as id) to '{tmp_path}/other.parquet' (format parquet)")
    return [piece_of(parts[0]), piece_of(tmp_path / "other.parquet")]


def half_a_file(parts, tmp_path):
    (tmp_path / "half.parquet").write_bytes(parts[1].read_bytes()[:9_000])
    return [piece_of(tmp_path / "half.parquet")]


def another_place(parts, tmp_path):
    piece = piece_of(parts[1])
    return [Piece(piece.file, piece.start + 1, piece.size - 1)]


def no_footer(parts, tmp_path):
    broken = parts[1].read_bytes()[:-8] + b"\xff\xff\xff\xff" + b"PAR1"
    (tmp_path / "broken.parquet").write_bytes(broken)
    return [piece_of(tmp_path / "broken.parquet")]


def a_broken_footer(parts, tmp_path):
    content = bytearray(parts[0].read_bytes())
    content[-300:-8] = bytes(292)
    (tmp_path / "broken.parquet").write_bytes(content)
    return [piece_of(tmp_path / "broken.parquet")]


@pytest.mark.parametrize(
    "pieces", [other_columns, half_a_file, another_place, no_footer, a_broken_footer]
)
def test_what_does_not_fit_is_refused(parts, tmp_path, pieces):
    with pytest.raises(UnlikeFilesError):
        join(pieces(parts, tmp_path), tmp_path / "joined.parquet")


@pytest.mark.parametrize("known", ["FILE", "GROUP", "COLUMN", "METADATA"])
def test_a_field_of_a_later_format_is_refused(parts, tmp_path, monkeypatch, known):
    monkeypatch.setattr(parquet_joined, f"KNOWN_OF_{known}", 2)
    with pytest.raises(UnlikeFilesError):
        join([piece_of(parts[0])], tmp_path / "joined.parquet")


READERS = {
    "pyarrow": "pyarrow.parquet.read_table(file).num_rows",
    "polars": "polars.read_parquet(file).height",
    "pandas": "len(pandas.read_parquet(file))",
}


@pytest.mark.parametrize("reader", READERS)
def test_other_readers_find_the_same_rows(parts, tmp_path, reader):
    python = PROJECT_ROOT / ".venv" / "bench" / "bin" / "python"
    if not Path(python).exists():
        pytest.skip("the readers' packages are not installed: `make bench` installs them")
    joined = tmp_path / "joined.parquet"
    join([piece_of(part) for part in parts], joined)
    module = "pyarrow.parquet" if reader == "pyarrow" else reader
    program = f"import sys, {module}; file = sys.argv[1]; print({READERS[reader]})"
    found = subprocess.run(
        [str(python), "-c", program, str(joined)], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "9001"
