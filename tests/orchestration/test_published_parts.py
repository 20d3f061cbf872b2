"""A publish on top of another leaves what a whole one leaves, and writes what differs only."""

import re
import shutil
from dataclasses import replace
from datetime import date

import duckdb
import pytest

from orchestration.errors import IntentMapError
from orchestration.publishing import (
    parquet_files,
    parquet_joined,
    parts,
    publish,
    reading_back,
    tables,
)
from orchestration.publishing.parquet_joined import UnlikeFilesError
from orchestration.settings import MANIFEST_FILE, SERVING_FILE, Settings

DAYS = 210
# a mart of each kind: by a date, by a moment that may be missing, and of one part
MARTS = f"""
    create schema marts;
    create table marts.mart_sessions as
    select i as session_key, 'visitor ' || i % 99 as visitor_id, i / 3 as revenue,
        date '2024-01-01' + cast(i % {DAYS} as integer) as session_date
    from range(7300) as numbers (i);
    create table marts.mart_micro_conversions as
    select i as session_key, 'cart' as micro_conversion, if(i % 50 = 0, null,
        timestamp '2024-01-01' + to_days(cast(i % {DAYS} as integer))) as occurred_at
    from range(7300) as numbers (i);
    create table marts.mart_values as select 'cart' as micro_conversion, 1.5 as value;
    create table marts.mart_old as select 1 as a;
    create table marts.mart_empty (date date, a integer);
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A home with one publish, to be copied."""
    folder = tmp_path_factory.mktemp("published")
    settings = Settings(home=folder / "home", seeds=folder, hash_key="a key")
    settings.warehouse.parent.mkdir(parents=True)
    change(settings, MARTS)
    assert "anew" in said(settings, "run-0")
    return settings


@pytest.fixture
def settings(published, tmp_path):
    shutil.copytree(published.home, tmp_path / "home", symlinks=True)
    return replace(published, home=tmp_path / "home", seeds=tmp_path)


def change(settings, statements):
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(statements)


def said(settings, run_id, **how):
    lines = []
    publish(settings, run_id, report=lines.append, **how)
    return " ".join(lines)


def written(text):
    return int(re.search(r"\(([\d,]+) of them written anew\)", text)[1].replace(",", ""))


def written_to_parquet(monkeypatch):
    """The list that the queries behind all Parquet files come to stand in."""
    queries, real = [], parquet_files.copy_to_parquet
    monkeypatch.setattr(
        parquet_files,
        "copy_to_parquet",
        lambda con, query, path: (queries.append(query), real(con, query, path)),
    )
    return queries


def served(settings):
    """Every published table as its columns and the sorted rows, from the file and from Parquet."""
    found = {}
    with duckdb.connect(str(settings.serving / SERVING_FILE), read_only=True) as con:
        names = con.execute("select table_name from information_schema.tables").fetchall()
        for (name,) in names:
            left_out = "exclude (run_id, published_at)" if name == "publication" else ""
            for place in (f"marts.{name}", f"'{settings.serving}/parquet/{name}.parquet'"):
                rows = con.execute(f"select * {left_out} from {place} order by all")
                found[place.rsplit("/", 1)[-1]] = (
                    [c[0] for c in rows.description],
                    rows.fetchall(),
                )
    return found


def served_whole(settings, tmp_path):
    """What a whole publish of the same warehouse leaves."""
    other = replace(settings, home=tmp_path / "whole")
    other.warehouse.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(settings.warehouse, other.warehouse)
    publish(other, "whole", report=lambda _: None, whole=True)
    return served(other)


def expect_as_whole(settings, tmp_path):
    assert served(settings) == served_whole(settings, tmp_path)


LATE_ROW = "insert into marts.mart_sessions values (9001, 'late', 1, date '2024-03-05');"
CHANGES = {
    "nothing": "",
    "a night": """
        insert into marts.mart_sessions values (9000, 'new', 1, date '2026-01-02');
        insert into marts.mart_micro_conversions values (9000, 'cart', '2026-01-02 10:00');
        """
    + LATE_ROW,
    "a quarter": """
        update marts.mart_values set value = 2;
        update marts.mart_sessions set revenue = 7 where session_date >= '2024-07-01'
        """,
    "a backfill": "insert into marts.mart_sessions values (9002, 'x', 1, date '2021-03-05')",
    "a week that is gone": "delete from marts.mart_sessions where session_date < '2024-01-08'",
    "a row without a moment": "insert into marts.mart_micro_conversions values (1, 'b', null)",
    "a row that moves": "update marts.mart_sessions set session_date = '2024-07-07' "
    "where session_key = 5",
    "values that trade places": "update marts.mart_sessions set revenue = 2 - revenue "
    "where session_key in (0, 6)",
    "a first null": "insert into marts.mart_sessions values (9003, 'x', null, '2026-01-02')",
    "an id alone": "update marts.mart_sessions set visitor_id = 'other' where session_key = 5",
    "a new mart": "create table marts.mart_new as select 1 as a",
    "a mart that is gone": "drop table marts.mart_old",
    "a mart that is emptied": "delete from marts.mart_values",
    "a mart that is filled": "insert into marts.mart_empty values ('2024-01-01', 1)",
    "a new column": "alter table marts.mart_values add column more integer",
    "another name": "alter table marts.mart_values rename column value to worth",
    "another type": "alter table marts.mart_values alter value type double",
    "everything": "update marts.mart_sessions set revenue = -1",
}


@pytest.mark.parametrize("what", CHANGES)
def test_on_top_of_another_publish_it_is_as_written_whole(settings, tmp_path, what):
    if CHANGES[what]:
        change(settings, CHANGES[what])
    whole = served_whole(settings, tmp_path)
    for number in range(2):
        said(settings, f"run-{number}")
        assert served(settings) == whole


def test_a_mart_that_is_emptied_is_no_reason_to_write_all_others_anew(settings):
    change(settings, CHANGES["a mart that is emptied"])
    text = said(settings, "run-1")
    assert "published anew" not in text
    assert written(text) == 0


@pytest.mark.parametrize("as_an_erasure", [True, False])
def test_a_history_without_any_session_takes_the_place_of_none_with(settings, as_an_erasure):
    before = served(settings)
    change(settings, "delete from marts.mart_sessions")
    with pytest.raises(IntentMapError, match="holds no session any more") as refused:
        said(settings, "run-1")
    assert str(settings.serving / MANIFEST_FILE) in str(refused.value)
    assert served(settings) == before
    if as_an_erasure:
        said(settings, "run-2", whole=True)
    else:
        (settings.serving / MANIFEST_FILE).unlink()
        said(settings, "run-2")
    assert served(settings)["marts.mart_sessions"][1] == []
    # and then goes on
    said(settings, "run-3")


@pytest.mark.parametrize("key", ["another key", None])
def test_another_key_leaves_no_part_as_it_was(settings, tmp_path, key):
    path = settings.serving / SERVING_FILE
    size = path.stat().st_size
    settings = replace(settings, hash_key=key)
    change(settings, CHANGES["a mart that is gone"])
    text = said(settings, "run-1")
    assert "published anew" in text
    assert written(text) == 14_601
    # nothing of the copy that was begun with, not even freed blocks
    assert path.stat().st_size <= 1.2 * size
    expect_as_whole(settings, tmp_path)


def test_without_a_key_a_changed_id_changes_nothing_that_is_published(settings, tmp_path):
    settings = replace(settings, hash_key=None)
    said(settings, "run-1")
    change(settings, CHANGES["an id alone"])
    assert written(said(settings, "run-2")) == 0
    expect_as_whole(settings, tmp_path)


def test_nothing_is_written_when_nothing_changed(settings):
    files = {path.name: path.stat().st_ino for path in (settings.serving / "parquet").iterdir()}
    assert written(said(settings, "run-1")) == 0
    again = {path.name: path.stat().st_ino for path in (settings.serving / "parquet").iterdir()}
    assert {name for name in files if files[name] != again[name]} == {"publication.parquet"}


def test_of_a_long_past_only_the_touched_weeks_are_written(settings):
    before = served(settings)["marts.mart_sessions"][1]
    change(settings, LATE_ROW)
    of_the_week = sum(date(2024, 3, 4) <= row[3] < date(2024, 3, 11) for row in before)
    assert written(said(settings, "run-1")) == of_the_week + 1 < len(before) / 20


def test_of_a_long_past_only_the_touched_weeks_are_written_to_parquet(settings, monkeypatch):
    path = settings.serving / "parquet" / "mart_sessions.parquet"
    before, queries = path.read_bytes(), written_to_parquet(monkeypatch)
    change(settings, LATE_ROW)
    said(settings, "run-1")
    assert len(queries) == 2 and "2024-03-04" in queries[0] and "publication" in queries[1]
    # nine weeks stand before it, with their row groups as they were
    kept = before[: before.index(b"PAR1", 4)][:2000]
    assert path.read_bytes().startswith(kept)


@pytest.mark.parametrize("broken", ["join", "piece_of"])
def test_a_mart_whose_weeks_cannot_be_joined_is_written_as_one(
    settings, tmp_path, monkeypatch, broken
):
    def refuse(*_):
        raise UnlikeFilesError("a format of tomorrow")

    change(settings, CHANGES["a night"])
    with monkeypatch.context() as patch:
        patch.setattr(parquet_files, broken, refuse)
        said(settings, "run-1")
    assert not [*settings.serving.rglob("*.unfinished")]
    expect_as_whole(settings, tmp_path)
    change(settings, LATE_ROW)
    said(settings, "run-2")
    expect_as_whole(settings, tmp_path)


def a_byte_of_a_week(number):
    def spoil(path, placed):
        content = bytearray(path.read_bytes())
        content[placed[number].start + placed[number].size // 2] ^= 1
        path.write_bytes(content)

    return spoil


def footer_with(change):
    """change: gets the footer, and what it says of the dates in a week that was taken over."""

    def spoil(path, placed):
        footer = parquet_joined._read_footer(path)
        group = footer[parquet_joined.ROW_GROUPS][1][1][KEPT_WEEK]
        column = group[parquet_joined.GROUP_COLUMNS][1][1][3]
        change(footer, column[parquet_joined.COLUMN_METADATA][1])
        rows, footer_at = path.read_bytes(), placed[-1].start + placed[-1].size
        said = parquet_joined._encoded(footer)
        end = len(said).to_bytes(4, "little") + parquet_joined.MAGIC
        path.write_bytes(rows[:footer_at] + said + end)

    return spoil


def another_place(_, column):
    kind, place = column[9]
    column[9] = (kind, place + 1)


def a_lower_maximum(_, column):
    kind, statistics = column[12]
    column[12] = (kind, statistics | {5: statistics[6]})


def more_rows(footer, _):
    kind, rows = footer[parquet_joined.NUM_ROWS]
    footer[parquet_joined.NUM_ROWS] = (kind, rows + 1)


KEPT_WEEK, LATE_WEEK = 3, 9


@pytest.mark.parametrize(
    "spoil",
    [
        a_byte_of_a_week(KEPT_WEEK),
        a_byte_of_a_week(-1),
        a_byte_of_a_week(LATE_WEEK),
        *map(footer_with, (another_place, a_lower_maximum, more_rows)),
    ],
    ids=["first", "last", "new", "place", "statistics", "rows"],
)
def test_a_joined_file_that_is_not_as_written_is_not_published(
    settings, tmp_path, monkeypatch, spoil
):
    joined = []

    def spoiled_once(pieces, path, real=parquet_files.join):
        placed = real(pieces, path)
        if not joined:
            spoil(path, placed)
        joined.append(path)
        return placed

    monkeypatch.setattr(parquet_files, "join", spoiled_once)
    change(settings, LATE_ROW)
    assert "published anew" in said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


def test_weeks_of_a_file_that_turned_over_are_not_taken_over(settings, tmp_path):
    path = settings.serving / "parquet" / "mart_sessions.parquet"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    change(settings, LATE_ROW)
    assert "published anew" in said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


def test_weeks_that_were_taken_over_are_not_decoded_again(settings, monkeypatch):
    read, real = [], reading_back.sums_of
    monkeypatch.setattr(
        reading_back,
        "sums_of",
        lambda con, relation, part: (read.append(relation), real(con, relation, part))[1],
    )
    change(settings, LATE_ROW)
    said(settings, "run-1")
    of_parquet = [relation for relation in read if "mart_sessions.parquet" in relation]
    assert len(of_parquet) == 1 and "where session_date >= date '2024-03-04'" in of_parquet[0]


def test_weeks_go_on_alone_behind_a_column_that_may_be_null_now(settings, monkeypatch):
    change(settings, CHANGES["a first null"])
    said(settings, "run-1")
    queries = written_to_parquet(monkeypatch)
    change(settings, LATE_ROW)
    said(settings, "run-2")
    assert len(queries) == 2


def test_a_parquet_file_that_is_not_as_published_is_not_gone_on_from(settings, tmp_path):
    path = (settings.serving / "parquet" / "mart_sessions.parquet").resolve()
    flip_a_byte(path.with_name("mart_micro_conversions.parquet"))
    path.unlink()
    change(settings, CHANGES["a night"])
    said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    place = content.rindex(b"cart") if path.suffix == ".parquet" else 3 * 4096 + 262_144 // 2
    content[place] ^= 1
    path.write_bytes(content)


def by_hand(path):
    with duckdb.connect(str(path)) as con:
        con.execute("update marts.mart_sessions set revenue = 0 where session_key = 77")


def of_another_run(path):
    with duckdb.connect(str(path)) as con:
        con.execute("update marts.publication set run_id = 'other'")


@pytest.mark.parametrize(
    "spoil",
    [flip_a_byte, by_hand, of_another_run, lambda path: path.write_bytes(b""),
     lambda path: path.unlink()],
)  # fmt: skip
@pytest.mark.parametrize("is_size_known", [False, True])
def test_a_served_file_that_is_not_as_published_is_not_carried_on(
    settings, tmp_path, spoil, is_size_known
):
    path = settings.serving / SERVING_FILE
    size = path.stat().st_size
    spoil(path)
    manifest = settings.serving / MANIFEST_FILE
    if is_size_known and path.exists():
        # as if its size had stayed
        text = manifest.read_text()
        bytes_now = f'"serving_bytes": {path.stat().st_size}'
        manifest.write_text(text.replace(f'"serving_bytes": {size}', bytes_now))
    assert "published anew" in said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


def test_a_parquet_file_that_is_not_as_published_is_not_carried_on(settings, tmp_path):
    flip_a_byte(settings.serving / "parquet" / "mart_micro_conversions.parquet")
    assert written(said(settings, "run-1")) == 0
    expect_as_whole(settings, tmp_path)


def test_parquet_files_are_copied_where_links_are_impossible(settings, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refused)
    said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run_id": 1, "tables": [{"name": "a"}]}'])
def test_a_manifest_that_says_something_else_leads_to_a_whole_one(settings, tmp_path, content):
    (settings.serving / MANIFEST_FILE).write_text(content)
    assert "published anew: the manifest" in said(settings, "run-1")
    expect_as_whole(settings, tmp_path)


def test_a_file_with_too_much_unused_room_is_written_whole(settings, monkeypatch):
    monkeypatch.setattr(parts, "TOO_LOOSE", 0.9)
    text = said(settings, "run-1")
    assert "room that is not used" in text
    assert written(text) == 14_602


def test_the_file_stays_small_over_many_publishes(settings):
    path = settings.serving / SERVING_FILE
    size = path.stat().st_size
    for number in range(1, 25):
        change(settings, f"update marts.mart_sessions set revenue = {number} "
               f"where month(session_date) = {number % 7 + 1}")  # fmt: skip
        said(settings, f"run-{number}")
        assert path.stat().st_size <= 2.5 * size


def test_a_whole_one_leaves_nothing_of_what_was_served(settings):
    path = settings.serving / SERVING_FILE
    change(settings, "insert into marts.mart_values values ('gone for good', 1)")
    said(settings, "run-1")
    assert b"gone for good" in path.read_bytes()
    change(settings, "delete from marts.mart_values where value = 1")
    assert written(said(settings, "run-2", whole=True)) == 14_602
    assert b"gone for good" not in path.read_bytes()


def test_a_publish_that_does_not_compare_is_noticed(settings, monkeypatch):
    change(settings, CHANGES["an id alone"])
    monkeypatch.setattr(parts, "different", lambda *_: [])
    monkeypatch.setattr(tables, "different", lambda *_: [])
    text = said(settings, "run-1")
    assert "published anew: Table mart_sessions" in text


def test_what_is_kept_of_ids_cannot_be_guessed_without_the_key():
    with duckdb.connect() as con:
        con.execute("create table one as select 'somebody' as visitor_id")
        proofs = {parts.sources_of(con, "mart_x", "one", key)[0].proof for key in ("a", "b", None)}
        con.execute("update one set visitor_id = 'somebody else'")
        assert parts.sources_of(con, "mart_x", "one", "a")[0].proof not in proofs
        assert parts.sources_of(con, "mart_x", "one", None)[0].proof in proofs
    assert len(proofs) == 3


@pytest.mark.parametrize(
    ("key", "said_of_it"),
    [(None, "does not read back as written"), ("a key", "does not have the same rows")],
)
def test_a_mart_that_lost_rows_in_the_copy_is_not_published(settings, monkeypatch, key, said_of_it):
    settings = replace(settings, hash_key=key)
    said(settings, "run-0")
    change(settings, LATE_ROW)
    before = served(settings)
    real = tables._selection
    monkeypatch.setattr(
        tables,
        "_selection",
        lambda con, name: f"select * from (from ({real(con, name)}) limit 1)",
    )
    with pytest.raises(IntentMapError, match=said_of_it):
        said(settings, "run-1")
    assert served(settings) == before
